"""Protected identities: enrolment, references, and the vault that holds them."""

"""References sealed, audited and erased: the vault, its keys, its consent and its ledger."""

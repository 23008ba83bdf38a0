"""Does the face change as this person's face does? After DiffFake."""

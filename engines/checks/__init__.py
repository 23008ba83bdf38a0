"""Whether engines agree, and how fast they are."""

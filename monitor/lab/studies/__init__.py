"""Studies of people: faces against their own recordings, forgeries beside the genuine person."""

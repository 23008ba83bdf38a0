"""LiveKit: what of a room is judged and why the rest is not, the clock of its media, and its webhooks."""

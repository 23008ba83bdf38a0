"""Requests of several participants computed together: `queue` decides, `batcher` holds the threads."""

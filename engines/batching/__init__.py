"""Dynamic batching: requests of several participants computed together; `queue` decides, `batcher` has the threads."""

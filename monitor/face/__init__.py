"""The face: found, tracked, normalised and cut out, reading the luma plane and nothing more than it needs."""

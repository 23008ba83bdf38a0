"""Sidewitness: the sidecar itself, from the tap to the alert."""

"""Processes for what must not be trusted with the rest: forked in a few milliseconds, confined, killed at any time."""

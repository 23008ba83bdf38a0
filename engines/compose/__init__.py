"""Engines made of engines: deferred, swapped, stacked, over a window."""

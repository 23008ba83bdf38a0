"""Engines made of other engines: compiled later, replaced while they run, one behind another, over a window."""

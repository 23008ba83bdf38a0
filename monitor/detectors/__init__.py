"""Detectors: each turns a window into a score, higher being more suspicious, or abstains with a reason. Pure."""

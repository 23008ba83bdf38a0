"""Findings: how they begin and end, how they are written down, and how subscribers are told."""

"""Findings: how they begin and end, how they are committed to the journal, and how they reach subscribers and sinks."""

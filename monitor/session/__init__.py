"""One participant judged, from decoded media to a decision; `session.py` is the page to read first."""

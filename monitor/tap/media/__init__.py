"""Encoded media made into frames and blocks with capture times: the source seam, the clock, the decode loop."""

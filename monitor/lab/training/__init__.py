"""Recordings turned into what `engines.training` learns from, and what is calibrated on them."""

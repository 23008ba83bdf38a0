"""Genuine people who must not be accused, whatever there is to hear."""

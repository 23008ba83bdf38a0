"""Detectors scored on labelled clips and replayed calls, with tables and plots."""

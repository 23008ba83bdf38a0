"""From scores to verdicts: calibration, e-values, the sequential detector, what is said and when. Pure."""

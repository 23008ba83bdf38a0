"""Who is judged on this machine now: admission, one task a participant, shedding, load and metrics."""

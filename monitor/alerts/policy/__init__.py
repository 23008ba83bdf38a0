"""What follows from a verdict: for whom, told to whom, with which action, after whose confirmation."""

"""What `sidewitness db` does: brings databases up to date, checks them, and copies one into another."""

"""The commands that evaluate, train and benchmark; each imports nothing heavy at its top."""

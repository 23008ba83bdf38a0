"""What `sidewitness doctor` looks at: each check returns what it found, raises nothing and changes nothing."""

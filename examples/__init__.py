"""Programs that use Sidewitness from outside, through its public surface only."""

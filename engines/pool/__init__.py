"""A pool of GPUs for machines without: encoders are asked over Ray, computed in batches, and here where it is gone."""

"""The graph of a pack as torch calls, with a CUDA graph a bucket."""

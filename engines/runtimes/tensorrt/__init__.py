"""TensorRT: plans compiled, stored and run on CUDA streams."""

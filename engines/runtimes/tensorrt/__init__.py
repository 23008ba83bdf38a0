"""TensorRT plans built, kept and run on CUDA streams."""

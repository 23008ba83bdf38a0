"""Tests, which compute in one thread each, as the command `sidewitness` does."""

import os

# Read when numpy and torch are imported, which is later than this. Tests share the processors already (-n 2), and the
# threads of a small product of matrices wait for each other, turning round, for far longer than it takes.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

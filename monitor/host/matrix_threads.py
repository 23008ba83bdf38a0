"""Whether matrices are multiplied in one thread, as they should be where several participants are judged at once. Pure.

The products here are small. Shared out to a thread for each core, they take longer to hand round than to compute, and
the threads wait for each other turning round. The command `sidewitness` sees to it; a program around the sidecar must,
before it imports numpy: the library reads the variable once.
"""

from __future__ import annotations

from collections.abc import Mapping

# In the order in which OpenBLAS, which numpy brings, asks them.
VARIABLES = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
ADVICE = "set OPENBLAS_NUM_THREADS=1 before numpy is imported: a participant costs more without it"


def is_one(environment: Mapping[str, str], cores: int) -> bool:
    """Whether the environment leaves one thread for a product of matrices, on so many cores."""
    said = next((environment[name] for name in VARIABLES if environment.get(name)), None)
    return cores <= 1 or said == "1"

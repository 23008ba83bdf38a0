"""Whether PyTorch is here, without importing it: that takes seconds."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


def probe() -> str:
    """Name the version of torch; raises ImportError where it is not installed."""
    if find_spec("torch") is None:
        raise ImportError("No module named 'torch'")
    try:
        return f"torch {version('torch')}"
    except PackageNotFoundError:
        return "torch of an unknown version"

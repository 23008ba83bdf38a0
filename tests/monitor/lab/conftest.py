"""What tests of the laboratory share: clips are analysed once, whoever scores them, and by a process that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kept_workers import KeptWorker, sharing


@pytest.fixture(scope="session")
def features_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of features by the content of their clips, for tests that do not ask what is in it."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module", autouse=True)
def shared_worker(request: pytest.FixtureRequest, kept_worker: KeptWorker) -> Iterator[None]:
    """One process for all pools, but where pools are what is tested."""
    if request.path.name == "test_worker_pool.py":
        yield
    else:
        with sharing(kept_worker):
            yield

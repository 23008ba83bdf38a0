"""What tests of the laboratory share: clips are analysed once, whoever scores them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def features_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of features by the content of their clips, for tests that do not ask what is in it."""
    return tmp_path_factory.mktemp("features")

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.monitor.rig import quiet_log


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quiet_log():
        yield

"""What the tests of the persona study share: intervals of few draws."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.lab.studies.persona import forgeries, report


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    """Draw people so often that an interval lies about its mean, and no oftener: nearly all of the time went there."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (report, forgeries):
            patch.setattr(module, "MEAN_ROUNDS", 200)
        patch.setattr(report, "POOLED_ROUNDS", 40)
        yield

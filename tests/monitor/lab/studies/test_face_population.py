from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.studies.face_population import read_rows


@pytest.mark.data
def test_rows_of_the_shipped_split(data_dir: Path) -> None:
    rows = read_rows(data_dir / "clips.csv", Path("matched"), forged=True)
    forged = {row.subject for row in rows if row.label == "fake"}
    assert forged <= {row.subject for row in rows if row.label == "real"}
    assert len(read_rows(data_dir / "clips.csv", Path("matched"), forged=False)) < len(rows)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.lab.corpus.npz import write_npz


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "arrays.npz"
    write_npz(path, {"a": np.arange(3), "b": np.array("name")})
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["a"].tolist() == [0, 1, 2]
        assert str(arrays["b"]) == "name"
    assert [file.name for file in path.parent.iterdir()] == ["arrays.npz"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    write_npz(path, {"a": np.arange(3)})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz(path, {"a": np.array([object()])})
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["a"].tolist() == [0, 1, 2]

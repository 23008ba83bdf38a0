"""The stream of the benchmark's tests and the models, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.bench.clip import Stream, prepare
from monitor.session.models import Models, load_models
from tests.monitor.tap.clips import write_clip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="session")
def stream(folder: Path) -> Stream:
    """A loop of 1.5 s or a little less, made of a small clip at 25 frames."""
    done: list[float] = []
    made = prepare(write_clip(folder / "clip.mp4", seconds=1.6), folder / "stream.webm", done.append)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
    return made


@pytest.fixture(scope="session")
def models() -> Models:
    return load_models("openvino")


@pytest.fixture(scope="session")
def webm(stream: Stream, folder: Path) -> Path:
    """The file of the stream, without a face."""
    return folder / "stream.webm"

"""What tests of every package share: the research clips, the face engines, and patience with busy machines."""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from engines import trust
from engines.base import Engine
from engines.load import load_engine
from tests import examples_count, groups, postgres, pure, shared_engines
from tests.kept_workers import KeptWorker
from tests.shared_engines import RunMemory

# A busy machine makes no example wrong. `make test` tries the same examples every time, so that what fails has to do
# with a change; `make long` looks for new ones.
settings.register_profile("unhurried", deadline=None, derandomize=not examples_count.all_of_them())
settings.load_profile("unhurried")

# Nothing is garbage that collecting the tests makes: see `pytest_collection_finish`.
gc.disable()

# Read once: tests of the settings take every SIDEWITNESS_* variable away.
_DATA = Path(os.environ.get("SIDEWITNESS_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()


_CORE = [pure.ROOT / name for name in pure.tests()]


@cache
def _is_core(file: Path) -> bool:
    """Whether a test file is of the pure core."""
    return any(file.is_relative_to(path) for path in _CORE)


@cache
def _order(file: Path) -> int:
    """Where a test file stands."""
    return groups.order(str(file.relative_to(pure.ROOT)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whoever asks for the research clips, said or not, and the tests of the pure core; the longest come first."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)
        if _is_core(item.path):
            item.add_marker(pytest.mark.core)
    items.sort(key=lambda item: _order(item.path))


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of later collections of garbage: it lasts as long as the process."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def trusted_packs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A list of trusted packs for these tests, which begins as this user's: what was built at installation is on it."""
    path, users = tmp_path_factory.mktemp("trust") / "trusted-packs", trust.store()
    path.write_bytes(users.read_bytes() if users.exists() else b"")
    path.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(trust.STORE_VARIABLE, str(path))
        yield path


@pytest.fixture(scope="session", autouse=True)
def run_memory() -> Iterator[RunMemory]:
    """Compile each pack of the installation once, and compute nothing twice where `tests.groups` says so."""
    with shared_engines.compiled_once(), shared_engines.computed_once() as memory:
        yield memory


@pytest.fixture(scope="module", autouse=True)
def remembered(request: pytest.FixtureRequest, run_memory: RunMemory) -> Iterator[None]:
    """Switch the memory on for the modules that are to have it."""
    run_memory.on = groups.is_computed_once(str(request.path.relative_to(pure.ROOT)))
    yield
    run_memory.on = False


@pytest.fixture(scope="session")
def kept_worker() -> Iterator[KeptWorker]:
    """A process for the pools that analyse clips."""
    worker = KeptWorker()
    yield worker
    worker.give_up()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with clips.csv and clips/; a test that asks for it is skipped where it is absent."""
    if not (_DATA / "clips.csv").exists():
        pytest.skip("the research clips are absent: set SIDEWITNESS_DATA to their folder")
    return _DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL of these tests; whoever asks for it is skipped, with the reason, where there is none to start."""
    with postgres.server() as running:
        yield running


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> str:
    """The address of an empty database of PostgreSQL."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def detector() -> Engine:
    """The face detector, as the product runs it."""
    return load_engine("face_detector")


@pytest.fixture(scope="session")
def landmarks() -> Engine:
    """The landmark model, as the product runs it."""
    return load_engine("face_landmarks")


@pytest.fixture(scope="session")
def untrained_packs(tmp_path_factory: pytest.TempPathFactory, trusted_packs: Path) -> Path:
    """Model packs of `tests.engines.towers.untrained()`, as training exports them, once for all who share the tests."""
    pytest.importorskip("torch", reason="training and export need torch: install the extra `train`")
    from engines.training.export import PackDescription, export_lips, export_voice
    from tests.engines.towers import untrained

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, part = shared / "untrained-packs", shared / "untrained-packs.part"
    with (shared / "untrained-packs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            lips, voice = untrained()
            about = PackDescription("0", "Apache-2.0", "a test", {"minutes": 0}, {"clips": 0}, {}, "# A test\n")
            export_lips(lips, part / "speech_lips", about)
            export_voice(voice, part / "speech_voice", about)
            part.rename(folder)
    # Whoever did not make them has to be told.
    for manifest in folder.glob("*/manifest.json"):
        trust.trust(manifest.parent.name, manifest.read_bytes())
    return folder

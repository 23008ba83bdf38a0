"""The live call on a PostgreSQL and on Ray, beside the one with default settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from rich.console import Console

from monitor import cli
from monitor.lab.bench import enrolment, live, own_schema, run, variants
from monitor.lab.bench import subscriber as watching
from monitor.lab.bench.budgets import AGE, CORES, MEMORY
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.live import LiveCall
from monitor.lab.bench.process_usage import Usage, cpu_seconds
from monitor.lab.bench.processes import BenchSetup, sidecar
from monitor.lab.bench.ray_node import RayNode
from monitor.lab.bench.result import BenchResult
from monitor.lab.bench.tables import show
from monitor.lab.bench.variants import PLAIN, POSTGRESQL, LiveVariant, ray_name, variant_rows
from tests import postgres
from tests.monitor.lab.bench.test_capacity import MACHINE, SETTINGS
from tests.monitor.lab.bench.test_processes import networked
from tests.monitor.lab.bench.test_result import a_live

PATIENCE = 180.0
PLAIN_CALL = LiveVariant(PLAIN, a_live())


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


def schemas(url: str) -> set[str]:
    """The schemas of a database that are no part of PostgreSQL."""
    engine = sa.create_engine(url)
    found = {name for name in sa.inspect(engine).get_schema_names() if not name.startswith("pg_")}
    engine.dispose()
    return found - {"information_schema", "public"}


# What is told


def test_a_variant_is_told_beside_the_call_with_default_settings() -> None:
    other = LiveVariant(POSTGRESQL, a_live(cores=0.5, age_p95=None, memory_mb=41.0))
    rows = {row.name: row for row in variant_rows(other, PLAIN_CALL)}
    assert rows[f"{CORES}, PostgreSQL"].value == 0.25
    assert rows[f"{CORES}, PostgreSQL"].note == "0.2 cores by default, in this run"
    assert rows[f"{AGE}, PostgreSQL"].state == "not measured"
    assert rows[f"{MEMORY}, PostgreSQL"].note == "40 MB by default, in this run"
    assert {row.note for row in variant_rows(other, None)} == {""}
    nobody = LiveVariant(POSTGRESQL, a_live(first_state=[], socket_p95=None))
    assert [row.value for row in variant_rows(nobody, None)].count(None) == 2
    assert [ray_name(count) for count in (1, 2)] == ["Ray, 1 host", "Ray, 2 hosts"]


def test_all_of_them_are_shown_beside_each_other() -> None:
    found = (PLAIN_CALL, LiveVariant(ray_name(2), a_live(cores=0.8)))
    result = BenchResult(MACHINE, SETTINGS, variants=found)
    assert [one["name"] for one in json.loads(json.dumps(result.as_json()))["variants"]] == [PLAIN, "Ray, 2 hosts"]
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        show(result, console)
    assert "The live call, by what it is set up with" in capture.get()
    assert "Ray, 2 hosts" in capture.get()
    with console.capture() as capture:
        show(BenchResult(MACHINE, SETTINGS, variants=found[:1]), console)
    assert "set up with" not in capture.get()


# How it is set up


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[BenchSetup]:
    """The setups of the live calls that were asked for, none of which is made."""
    asked: list[BenchSetup] = []

    async def called(_stream: Path, setup: BenchSetup, *_: object) -> LiveCall:
        asked.append(setup)
        return a_live()

    monkeypatch.setattr(live, "measure", called)
    return asked


def a_bench(folder: Path, **options: Any) -> run.Bench:
    setup = BenchSetup(folder, identity="bench")
    return run.Bench(run.Options(**options), None, folder / "s.webm", None, setup, 2, lambda *_: None)  # type: ignore[arg-type]


def test_each_is_set_up_in_its_own_way_after_the_plain_one(
    measured: list[BenchSetup], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled: list[tuple[Path, dict[str, str]]] = []
    dropped: list[str] = []

    async def enrol(_stream: Path, folder: Path, _engine: str, settings: dict[str, str]) -> None:
        enrolled.append((folder, settings))

    @contextmanager
    def schema(url: str) -> Iterator[str]:
        yield f"{url}?inside"
        dropped.append(url)

    @asynccontextmanager
    async def node(_setup: BenchSetup, cores: int) -> AsyncIterator[RayNode]:
        yield RayNode({"SIDEWITNESS_CLUSTER": f"localhost:{cores}"}, 77)

    monkeypatch.setattr(enrolment, "enrol_clip", enrol)
    monkeypatch.setattr(variants, "own_schema", schema)
    monkeypatch.setattr(variants, "ray_node", node)
    bench = a_bench(tmp_path, usual=False, database="postgresql://a/b", ray=True)
    result = run.loads(bench, BenchResult(MACHINE, SETTINGS))
    assert [variant.name for variant in result.variants] == [PLAIN, POSTGRESQL, "Ray, 1 host"]
    plain, stored, hosted = measured
    assert plain == bench.setup
    assert stored.settings == {"SIDEWITNESS_DATABASE_URL": "postgresql://a/b?inside"}
    # Another vault wants another key, and the person in it.
    assert stored.folder != plain.folder
    assert enrolled == [(stored.folder, stored.settings)]
    assert dropped == ["postgresql://a/b"]
    assert hosted.settings == {"SIDEWITNESS_CLUSTER": "localhost:1"}
    assert (hosted.folder, hosted.also) == (plain.folder, (77,))
    assert "postgresql://" not in repr(bench.options) + repr(stored) + json.dumps(result.as_json())


def test_after_the_default_parts_the_call_is_not_made_again(measured: list[BenchSetup], tmp_path: Path) -> None:
    bench = a_bench(tmp_path, ray=True, database=None)
    before = BenchResult(MACHINE, SETTINGS, variants=(PLAIN_CALL,))

    async def nothing(*_: object) -> LiveVariant:
        raise BenchError("Ray did not start: no memory")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "on_ray", nothing)
        result = run.loads(bench, before)
    assert measured == []
    assert result.variants == (PLAIN_CALL,)
    assert result.notes == ["The live call on Ray, 1 host could not run: Ray did not start: no memory."]


@pytest.mark.parametrize("url", ["sqlite:///a.sqlite", "mysql://a/b", "nonsense"])
def test_what_is_no_postgresql_is_refused_before_any_work(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--only", "--clip", "absent.mp4", "--database", url]) == 2
    said = capsys.readouterr().err
    assert "write postgresql+psycopg://USER@HOST/DATABASE" in said.replace("\n", " ")
    assert "absent" not in said


# For real


def test_a_schema_is_made_and_dropped_whatever_happens(server: postgres.Server) -> None:
    url = server.new_database()

    def interrupted() -> None:
        with own_schema.own_schema(url) as inside:
            (name,) = schemas(url)
            assert name.startswith("sidewitness_bench_")
            engine = sa.create_engine(inside)
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE findings (id integer)")
            assert sa.inspect(engine).get_table_names(schema=name) == ["findings"]
            engine.dispose()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert schemas(url) == set()
    with pytest.raises(BenchError, match="there is no such database"), own_schema.own_schema(server.url("absent")):
        pass


async def test_a_sidecar_keeps_everything_in_that_schema(server: postgres.Server, tmp_path: Path) -> None:
    url = server.new_database()
    with own_schema.own_schema(url) as inside:
        setup = BenchSetup(tmp_path, "onnx", settings={"SIDEWITNESS_DATABASE_URL": inside})
        async with asyncio.timeout(PATIENCE), sidecar(setup, 1):
            engine = sa.create_engine(inside)
            (name,) = schemas(url)
            assert "findings" in sa.inspect(engine).get_table_names(schema=name)
            assert sa.inspect(engine).get_table_names(schema="public") == []
            engine.dispose()
    assert not await asyncio.to_thread(lambda: list(tmp_path.rglob("*.sqlite")))


def test_processes_elsewhere_count_as_the_sidecars_own() -> None:
    own = psutil.Process().pid
    used = Usage.read(own, 1.0, own)
    assert used.process >= 2 * cpu_seconds(own) - 0.5
    assert used.process > Usage.read(own, 1.0).process


@pytest.mark.long
@networked
async def test_a_call_is_judged_on_ray(webm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(live, "STARTS", 1)
    told = lambda _part, _done: None  # noqa: E731
    found = await asyncio.wait_for(variants.on_ray(webm, BenchSetup(tmp_path), 1, 1, 2.0, told), PATIENCE)
    assert found.name == "Ray, 1 host"
    # A pattern has no face, but whoever shows it is told something at every hop, by a host in an actor.
    assert len(found.call.first_state) == 1
    assert found.call.baseline_mb > 200
    assert not [process for process in psutil.Process().children(recursive=True) if "raylet" in process.name()]

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.jsonl import JsonlSink
from monitor.alerts.sinks.registry import kinds, open_sinks
from monitor.config import ConfigError, Settings, SinkSettings, load
from tests.monitor.alerts.build import finding, ready_journal

TOY = '''
"""A sink that counts, as another package would bring it."""
from monitor.alerts.sinks.base import SinkOptions, SinkSpec


class ToyOptions(SinkOptions):
    shout: bool = False


class ToySink:
    def __init__(self, options):
        self.options, self.seen = options, []

    async def deliver(self, items):
        self.seen += items

    async def close(self):
        self.seen.append("closed")


SPEC = SinkSpec("toy", ToyOptions, ToySink, batch_entries=2)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package beside ours: one module, and the metadata that an installer would write."""
    folder = tmp_path / "site"
    metadata = folder / "sidewitness_toy-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "sidewitness_toy.py").write_text(TOY)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sidewitness-toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[sidewitness.sinks]\ntoy = sidewitness_toy:SPEC\nbroken = sidewitness_toy_absent:SPEC\n"
        "odd = sidewitness_toy:ToySink\njsonl = sidewitness_toy:SPEC\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("sidewitness_toy", None)


def chosen(*sinks: Mapping[str, object]) -> tuple[SinkSettings, ...]:
    return tuple(SinkSettings.model_validate(sink) for sink in sinks)


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_sink_that_another_package_brings(toy: Path) -> None:
    (sink,) = open_sinks(chosen({"kind": "toy", "shout": True, "start": "beginning"}))
    assert (sink.name, sink.batch_entries, sink.from_beginning) == ("toy", 2, True)
    assert type(sink.sink).__module__ == "sidewitness_toy"
    assert sink.sink.options.shout is True  # type: ignore[attr-defined]


async def test_findings_reach_a_sink_that_another_package_brings(toy: Path, tmp_path: Path) -> None:
    """One file and its metadata beside the product: found, opened, delivered to and closed; nothing else is edited."""
    journal = ready_journal(tmp_path)
    sinks = open_sinks(chosen({"kind": "toy", "name": "siem"}))
    deliveries = Deliveries(sinks, journal, CollectorRegistry())
    await deliveries.start()
    recorder = Recorder(journal, lambda seq, _finding, _decided_at: deliveries.committed(seq))
    recorder.start()
    for name in "abc":
        recorder.put(finding(name), 0.0)
    await recorder.close()
    await deliveries.close()
    seen = sinks[0].sink.seen  # type: ignore[attr-defined]
    assert [entry.finding.id for entry in seen[:-1]] == ["a", "b", "c"]
    assert seen[-1] == "closed"
    assert Cursors(journal).begin("siem", 0) == 3
    journal.close()


def test_a_kind_of_ours_cannot_be_replaced(toy: Path, tmp_path: Path) -> None:
    (sink,) = open_sinks(chosen({"kind": "jsonl", "path": str(tmp_path / "x")}))
    assert isinstance(sink.sink, JsonlSink)


def test_what_is_not_used_is_not_imported(toy: Path) -> None:
    assert {"jsonl", "toy", "broken"} <= kinds().keys()
    open_sinks(())
    assert "sidewitness_toy" not in sys.modules


def test_a_package_that_cannot_be_loaded(toy: Path) -> None:
    with pytest.raises(ConfigError, match=r"sink 'broken' cannot be loaded \(ModuleNotFoundError\)") as caught:
        open_sinks(chosen({"kind": "broken"}))
    one_line(caught)
    with pytest.raises(ConfigError, match="names no SinkSpec") as caught:
        open_sinks(chosen({"kind": "odd"}))
    one_line(caught)


def test_two_of_a_kind_need_names(tmp_path: Path) -> None:
    first, second = ({"kind": "jsonl", "path": str(tmp_path / name)} for name in "ab")
    assert [sink.name for sink in open_sinks(chosen(first, {**second, "name": "archive"}))] == ["jsonl", "archive"]
    with pytest.raises(ConfigError, match=r"sinks\.1\.name.*two sinks have this name") as caught:
        open_sinks(chosen(first, second))
    one_line(caught)


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        ({"kind": "carrier-pigeon"}, r"'sinks\.0\.kind': there is no such sink, choose one of elastic, jsonl, ocsf"),
        ({"kind": "jsonl"}, r"'sinks\.0\.path' \(SIDEWITNESS_SINKS\): Field required"),
        ({"kind": "jsonl", "path": "x", "paht": "hunter2"}, r"unknown setting 'sinks\.0\.paht'"),
        ({"kind": "jsonl", "path": {"hunter2": 1}}, r"'sinks\.0\.path'"),
    ],
)
def test_what_cannot_be_a_sink_is_one_line(sink: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_sinks(chosen(sink))
    assert "hunter2" not in one_line(caught)


def test_sinks_are_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sidewitness.yaml"
    file.write_text(f"sinks:\n  - kind: jsonl\n    path: {tmp_path / 'findings.jsonl'}\n    name: archive\n")
    (sink,) = open_sinks(load(file).sinks)
    assert sink.name == "archive"
    monkeypatch.setenv("SIDEWITNESS_SINKS", '[{"kind": "jsonl", "path": "x"}]')
    assert [each.kind for each in load().sinks] == ["jsonl"]
    for bad in ('[{"path": "x"}]', '[{"kind": "jsonl", "name": "Not a name"}]', '[{"kind": "jsonl", "start": "soon"}]'):
        monkeypatch.setenv("SIDEWITNESS_SINKS", bad)
        with pytest.raises(ConfigError, match=r"sinks\.0\.(kind|name|start)") as caught:
            load()
        one_line(caught)


def test_options_are_not_shown() -> None:
    settings = Settings(sinks=chosen({"kind": "webhook", "secret": "hunter2"}))
    assert "webhook" in repr(settings)
    assert "hunter2" not in repr(settings)

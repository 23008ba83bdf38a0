"""`sidewitness plan`: needs with their assumptions, from shipped figures or from a result, and played on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.cli import run
from monitor.cli.plan import REFERENCE
from monitor.host.planning.costs import costs_of
from monitor.host.planning.sizing import Assumptions, plan
from tests.monitor.host.planning.build import result


def test_the_shipped_figures_are_said_to_be_those(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--participants", "10000"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    shipped = json.loads(REFERENCE.read_text())
    needs = plan(costs_of(shipped, "shipped"), Assumptions(participants=10_000))
    assert 100 < needs.machines < 1000
    beginning = f"10000 participants at once, {needs.per_machine} a machine"
    for part in (beginning, f"machines {needs.machines}", f"cores {needs.cores}", "GPUs 0 none needed"):
        assert part in said
    assert "Measured: the reference figures of this release" in said
    assert shipped["machine"]["processor"] in said
    assert "Assumed: 100% of the participants" in said


def test_a_result_of_ones_own_is_taken_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = result()
    own["capacity"] = {"participants": 8, "cores": 2}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(own))
    line = ["plan", "--participants", "1000", "--result", str(file), "--machine-cores", "32", "--json"]
    assert run([*line, "--concurrency", "0.5", "--headroom", "0", "--spare-machines", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["costs"]["source"] == str(file)
    assert told["assumptions"]["concurrency"] == 0.5
    # 32 cores less nothing, at 0.277 each; four more would hold by what one process held.
    assert (told["needs"]["live"], told["needs"]["per_machine"], told["needs"]["machines"]) == (500, 115, 7)
    assert "simulated" not in told


def test_a_gpu_is_planned_with_the_machine_that_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = result()
    own["settings"]["engine"], own["capacity"] = "pytorch", {"participants": 40, "cores": 12}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(own))
    assert run(["plan", "--participants", "300", "--result", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["assumptions"]["machine_cores"] == 12
    assert told["needs"]["gpus"] == told["needs"]["machines"] == 11


def test_a_plan_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["plan", "--participants", "20", "--simulate", "--seeds", "2", "--minutes", "5"]
    assert run([*line, "--light-saving", "0.1", "--json"]) == 0
    played = json.loads(capsys.readouterr().out)["simulated"]
    assert [one["name"] for one in played["runs"]][:2] == ["as planned", "a machine dies"]
    assert played["minutes"] == 5.0
    for one in played["runs"]:
        assert one["repetitions"] == 2
        assert one["shed"]["low"] <= one["shed"]["mean"] <= one["shed"]["high"]
        assert one["light"]["mean"] >= 0.0
    assert played["runs"][1]["unmonitored"]["mean"] > 0.0
    assert run(line) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Simulated, 5 minutes" in said
    assert "30% more" in said
    assert run([*line[:-4], "--seeds", "1", "--minutes", "5"]) == 0
    assert "[" not in capsys.readouterr().out.partition("Simulated")[2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON: give the bench.json of `sidewitness bench --out`"),
        ("[]", "is no result of a benchmark: give the bench.json"),
        ('{"rows": [], "machine": {"processor": "x", "cores": 2}, "settings": {}}', "is no result"),
    ],
)
def test_what_is_no_result_is_one_line(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    file.write_text(content)
    assert run(["plan", "--result", str(file)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_file_that_is_not_there_and_a_machine_too_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--result", str(tmp_path / "absent.json")]) == 1
    assert "absent.json" in capsys.readouterr().err
    assert run(["plan", "--machine-cores", "1", "--headroom", "0.9"]) == 2
    assert "would hold nobody" in capsys.readouterr().err

"""The command line as a person meets it: exit status, one line on stderr, help with an example."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from engines.base import MODELS, EngineError
from engines.load import pack_names
from engines.packs import load_pack
from monitor import cli
from monitor.cli import doctor
from monitor.cli.checks import installation, machine, processes
from monitor.config import ConfigError, load
from monitor.detectors.pairwise.entry import DETECTOR as PAIRWISE
from monitor.detectors.persona.entry import DETECTOR as PERSONA
from monitor.tap.media.source import SourceError
from tests.engines import packs
from tests.monitor import movers

COMMANDS = [
    "serve",
    "scan",
    "evaluate",
    "train",
    "train speech",
    "train calibration",
    "doctor",
    "engines",
    "engines list",
    "engines verify",
    "engines build",
    "engines float16",
    "identities",
    *(f"identities {name}" for name in ("list", "show", "history", "approve", "reject", "erase", "receipts")),
    *(f"identities {name}" for name in ("audit", "sweep", "rotate-key")),
    "tokens",
    *(f"tokens {name}" for name in ("create", "list", "revoke", "rotate-key")),
    "sources",
    *(f"sources {name}" for name in ("list", "check", "watch")),
]
GROUPS = {"engines", "identities", "sources", "tokens", "train"}
HEAVY = {"av", "aiortc", "fastapi", "matplotlib", "onnxruntime", "openvino", "pydantic", "rich", "sqlalchemy"}


@pytest.fixture(autouse=True)
def _settings_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SIDEWITNESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SIDEWITNESS_PORT", "0")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("words", ["", *COMMANDS])
def test_every_command_helps(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words.split(), "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: sidewitness {words}".rstrip())
    assert said.err == ""


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in GROUPS])
def test_every_help_has_an_example(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run([*words.split(), "--help"])
    assert re.search(rf"Example:\s.*sidewitness {words}", capsys.readouterr().out, re.DOTALL)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nope"], 2, "No such command 'nope' (see `sidewitness --help`)"),
        (["doctor", "--nope"], 2, "No such option"),
        (["serve", "--port", "http"], 2, "Invalid value for '--port'"),
        (["serve", "--port", "70000"], 2, "Invalid value for '--port'"),
        (["serve", "--config", "/absent/settings.yaml"], 2, "/absent/settings.yaml cannot be read"),
        (["serve", "--false-alerts-per-hour", "0"], 2, "setting 'false_alerts_per_hour'"),
        (["engines", "list", "--models", "/absent"], 1, "no model pack in /absent"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {message}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["engines"]])
def test_no_command_shows_the_help_and_is_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: sidewitness")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (EngineError("the pack is broken: reinstall"), 1, "error: the pack is broken: reinstall"),
        (SourceError("clip.mp4 is not a video:\n use one"), 1, "error: clip.mp4 is not a video: use one"),
        (ConfigError("setting 'port': too large"), 2, "error: setting 'port': too large"),
        (PermissionError(13, "Permission denied", "out.csv"), 1, "error: out.csv: Permission denied"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device"),
        (ImportError("No module named 'torch'"), 1, "error: No module named 'torch': reinstall sidewitness"),
        (ZeroDivisionError("division"), 1, "error: internal error (ZeroDivisionError: division): please report it"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_command_raises_becomes_a_status(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", fail)
    assert cli.run(["doctor"]) == status
    assert capsys.readouterr().err.startswith(said)


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "installed_version", lambda _: "1.2.3")
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == "1.2.3\n"

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cli, "installed_version", absent)
    assert cli.run(["--version"]) == 1
    assert "is not installed" in capsys.readouterr().err


def test_packs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "list", "--json"]) == 0
    packs = {pack["name"]: pack for pack in json.loads(capsys.readouterr().out)["packs"]}
    assert set(packs) == set(pack_names())
    assert packs["face_detector"]["inputs"] == {"image": [128, 128, 3]}
    assert cli.run(["engines", "list"]) == 0
    assert "image 128x128x3" in capsys.readouterr().out


def two_packs(folder: Path) -> Path:
    for name in ("face_detector", "face_landmarks"):
        shutil.copytree(MODELS / name, folder / name)
    return folder


def test_engines_are_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = str(two_packs(tmp_path / "models"))
    assert cli.run(["engines", "verify", "--models", models, "--json"]) == 0
    packs = json.loads(capsys.readouterr().out)["packs"]
    assert [(pack["name"], pack["ok"]) for pack in packs] == [("face_detector", True), ("face_landmarks", True)]
    assert all(0 <= pack["largest_difference"] < 1e-4 for pack in packs)


def test_an_altered_pack_fails_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = two_packs(tmp_path / "models")
    (models / "face_detector" / "model.onnx").write_bytes(b"altered")
    assert cli.run(["engines", "verify", "--models", str(models)]) == 1
    said = capsys.readouterr().out
    assert "NO" in said
    assert "sha256" in said


def test_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.run(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in report["checks"]}
    assert status == (0 if report["ok"] else 1)
    for name in (
        "python",
        "engine openvino",
        "engine onnx",
        "decoders",
        "clip decoding",
        "disk space",
        "state directory",
        "port",
    ):
        assert checks[name]["state"] == "ok", checks[name]
    assert all(check["remedy"] for check in report["checks"] if check["state"] != "ok")


def test_doctor_reports_a_bad_setting_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_WINDOW_SECONDS", "7")
    assert cli.run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "window_seconds" in said
    assert "chromium" in said


def test_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    list(doctor.examine(None))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "failed"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "failed")]
)
def test_doctor_knows_the_pythons(version: tuple[int, int], state: str) -> None:
    assert installation.python(version).state == state


def test_doctor_finds_missing_and_mispinned_packages() -> None:
    found = installation.packages(["surely-not-here>=1", "typer==0.0.1", "rich>=14", "torch==2.13.0; extra == 'train'"])
    assert found.state == "failed"
    assert "surely-not-here>=1 is missing" in found.detail
    assert "typer==0.0.1 is" in found.detail
    assert "rich" not in found.detail
    assert "torch" not in found.detail
    assert installation.packages(["rich>=14"]).state == "ok"
    assert installation.packages(None).state == "failed"


@contextmanager
def answering(body: object, status: int = 200) -> Iterator[int]:
    """A server of one answer, on the port that is given."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(4096)
                text = json.dumps(body).encode()
                head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
                client.sendall(head.encode() + text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_doctor_finds_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = machine.port(load(port=other.getsockname()[1]))
    assert found.state == "failed"
    assert "SIDEWITNESS_PORT" in found.remedy


def test_doctor_says_how_many_processes_would_judge_and_how_many_do() -> None:
    found = processes.processes(load(processes=3, admin_port=1))
    assert (found.state, found.detail.partition(" on ")[0]) == ("ok", "3 processes would judge")
    assert "1 process would judge" in processes.processes(load(port=0)).detail
    for alive, state in ((2, "ok"), (1, "failed")):
        with answering({"status": "ready", "hosts": {"alive": alive, "of": 2}}) as port:
            found = processes.processes(load(admin_port=port))
        assert (found.state, found.detail) == (state, f"{alive} of 2 judge now")
    with answering({"status": "draining", "hosts": {"alive": 0, "of": 2}}, 503) as port:
        assert processes.processes(load(admin_port=port)).detail == "0 of 2 judge now"
    with answering(["another server"]) as port:
        assert processes.alive(load(admin_port=port)) is None


def test_doctor_finds_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = machine.state_dir(load(state_dir=tmp_path / "file"))
    assert found.state == "failed"
    assert "SIDEWITNESS_STATE_DIR" in found.remedy


def test_doctor_finds_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MIN_FREE_BYTES", 1 << 60)
    found = machine.disk(load())
    assert found.state == "failed"
    assert "free 1 GiB" in found.remedy


def test_doctor_names_variables_that_set_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.variables(load()).state == "ok"
    monkeypatch.setenv("SIDEWITNESS_TOCKEN", "x")
    found = machine.variables(load())
    assert found.state == "optional"
    assert "SIDEWITNESS_TOCKEN" in found.detail


def test_doctor_looks_for_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert installation.data().state == "optional"
    monkeypatch.setenv("SIDEWITNESS_DATA", str(tmp_path))
    assert str(tmp_path) in installation.data().detail
    (tmp_path / "clips.csv").write_text("path\n")
    assert installation.data().state == "ok"


def test_doctor_does_without_browser_and_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installation.browser().state == "optional"
    for name in ("chromium", "python"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert installation.browser().detail == str(tmp_path / "chromium")
    monkeypatch.setitem(sys.modules, "torch", None)
    extras = {check.name: check for check in installation.extras()}
    assert (extras["extra train"].state, extras["extra train"].remedy) == (
        "optional",
        "pip install 'sidewitness[train]'",
    )
    assert "torch" in extras["extra train"].detail
    assert "torch" not in extras["extra evaluate"].detail


def test_doctor_looks_for_the_identity_encoder(tmp_path: Path) -> None:
    (absent,) = PAIRWISE.check(tmp_path)
    assert absent.state == "optional"
    assert "engines import dlib-face" in absent.remedy
    (tmp_path / "face_identity").mkdir()
    (damaged,) = PAIRWISE.check(tmp_path)
    assert damaged.state == "failed"
    assert {check.state for check in PAIRWISE.check(MODELS)} <= {"ok", "optional"}


def test_doctor_says_what_hears_speech(tmp_path: Path) -> None:
    absent = installation.speech(tmp_path)
    assert (absent.state, "by rhythm" in absent.detail) == ("optional", True)
    assert "engines import silero-vad" in absent.remedy
    (tmp_path / "speech_presence").mkdir()
    assert installation.speech(tmp_path).state == "failed"
    assert installation.speech().state in {"ok", "optional"}


def test_doctor_looks_for_the_models_of_movement(tmp_path: Path) -> None:
    (absent,) = PERSONA.check(tmp_path)
    assert (absent.state, "enrolled" in absent.detail) == ("optional", True)
    movers.write_packs(tmp_path, "a voice")
    (unknown,) = PERSONA.check(tmp_path)
    assert (unknown.state, unknown.remedy) == ("optional", "sidewitness train people")
    key = load_pack(tmp_path / "persona").manifest.sha256[:16]
    people = replace(movers.people(movers.engines()), key=f"{key}-")
    packs.put(tmp_path / "persona/people.npz", people.to_bytes())
    (whole,) = PERSONA.check(tmp_path)
    assert (whole.state, "beside motion, 40 genuine people" in whole.detail) == ("ok", True)
    packs.take(tmp_path / "motion/population.npz")
    (alone,) = PERSONA.check(tmp_path)
    assert "alone, without motion" in alone.detail
    (tmp_path / "persona_tokens/manifest.json").unlink()
    (damaged,) = PERSONA.check(tmp_path)
    assert damaged.state == "failed"
    assert {check.state for check in PERSONA.check(MODELS)} <= {"ok", "optional"}


def test_doctor_finds_an_engine_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "engines.runtimes.openvino", None)
    assert installation.engine("openvino").state == "failed"
    assert installation.engine("onnx").state == "ok"


def test_the_command_line_loads_nothing_heavy() -> None:
    """Start to ready is 3 seconds at most, so help and usage errors must not pay for the runtimes."""
    code = "import monitor.cli, sys; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(loaded.stdout.split())


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "monitor.cli", "engines", "list", "--json"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode != 0

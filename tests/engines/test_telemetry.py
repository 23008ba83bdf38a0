"""Nothing leaves the machine: no runtime tells its maker anything, from its import on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines import telemetry

ROOT = Path(__file__).parents[2]
# Loads a model in both runtimes; prints which names were asked for, which connections made, and which processes forked,
# by whatever thread: OpenVINO's sender forks to send.
SCRIPT = """
import sys, threading
told = []
watched = ("socket.getaddrinfo", "socket.connect", "os.fork")
sys.addaudithook(lambda event, args: told.append(event) if event in watched else None)
{first}
from engines.load import load_engine
for engine in ("onnx", "openvino"):
    load_engine("face_detector", engine).warm_up()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(2)
print(told)
"""


def started(home: Path, first: str = "") -> tuple[str, list[str]]:
    """What a process that loads both runtimes does towards the network, and the files that it leaves at home."""
    home.mkdir()
    silent = {"CI", "XDG_CACHE_HOME", telemetry.ONNX_RUNTIME_VARIABLE}
    environment = {name: value for name, value in os.environ.items() if name not in silent}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SCRIPT.format(first=first)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), sorted(path.name for path in home.rglob("*") if path.is_file())


def test_no_runtime_tells_anybody_anything(tmp_path: Path) -> None:
    assert started(tmp_path / "home") == ("[]", [])


def test_what_this_looks_at_would_show(tmp_path: Path) -> None:
    """Where the runtimes are imported before, one begins to send and both leave an identifier."""
    asked, left = started(tmp_path / "home", "import onnxruntime, openvino")
    assert "os.fork" in asked
    assert {"deviceid", "openvino_ga_cid"} <= set(left)


def test_who_has_decided_is_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(telemetry.ONNX_RUNTIME_VARIABLE, "0")
    telemetry.switch_off()
    assert os.environ[telemetry.ONNX_RUNTIME_VARIABLE] == "0"

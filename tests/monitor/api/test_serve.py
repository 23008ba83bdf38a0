"""The server as a process: starts, says where, stops on SIGTERM with status 0, refuses what it cannot use in a line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import stat
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from monitor.alerts.journal import Entry
from monitor.api.server import address, listen
from monitor.config import ConfigError, Settings, SinkSettings
from monitor.serve import CONTAINER_LOGS, greeting, is_private, run
from tests.monitor.alerts.sinks.build import MemorySink, named
from tests.monitor.api.server import BEARER, TOKEN, WHIP, serving
from tests.monitor.rig import OPEN, block, quiet_log

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0
PROGRAM = """
import sys
from pathlib import Path
import monitor.host.judging
import monitor.serve
from monitor.config import load
from tests.monitor.rig import OPEN, ScriptedSource, block, scripted

class Peer(ScriptedSource):
    etag = "e"

async def answer(offer):
    peer = Peer()
    peer.put(block(OPEN))
    return peer, "v=0"

monitor.host.judging.judging = lambda *_: scripted(answer=answer)
monitor.serve.run(load(state_dir=Path(sys.argv[1]), port=0), lambda: None)
"""


async def start(folder: Path) -> tuple[asyncio.subprocess.Process, list[str]]:
    """Start a server; gives what it printed: where it is, where the token is, where health and metrics are."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(folder), cwd=ROOT, stdout=pipe, stderr=pipe
    )
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode().strip() for _ in range(3)]
    return process, lines


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)


async def test_first_start_to_sigterm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    monkeypatch.setenv("SIDEWITNESS_SINKS", json.dumps([{"kind": "jsonl", "path": str(tmp_path / "findings.jsonl")}]))
    process, greeted = await start(state)
    token = (state / "token").read_text().strip()
    # Into a pipe, as a container's log is one: where the token is, and not what it is.
    assert token not in "".join(greeted)
    base = greeted[0].split("ready: ")[1].split("/ ")[0]
    assert greeted[1] == f"Token: the one in the file {state / 'token'}"
    operators = greeted[2].removeprefix("Health and metrics: ").rstrip("/")
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "token").stat().st_mode) == 0o600
    async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}) as client:
        assert (await client.get("/readyz")).status_code == 200
        published = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
        assert published.status_code == 201
        async with asyncio.timeout(PATIENCE):
            while not (await client.get("/v1/findings")).json()["findings"]:
                pass
        assert 'sidewitness_sink_healthy{sink="jsonl"} 1.0' in (await client.get(f"{operators}/metrics")).text
        assert await healthcheck(operators) == 0
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out) == (0, b"")
    assert token.encode() not in err
    assert b"Traceback" not in err
    rows = sqlite3.connect(state / "journal.sqlite")
    try:
        committed = list(rows.execute("SELECT seq, action, reason FROM findings ORDER BY seq"))
        assert committed[-1][1:] == ("closed", "ended")
    finally:
        rows.close()
    # The sink has everything when the process has ended, what the end itself has closed included.
    lines = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text().splitlines()]
    assert [(line["seq"], line["action"], line["reason"]) for line in lines] == committed


async def healthcheck(operators: str) -> int:
    """The exit status of what the container asks of itself."""
    found = re.search(r"HEALTHCHECK (?:.*\\\n)+ +CMD (\[.*\])", (ROOT / "Dockerfile").read_text())
    assert found is not None
    [python, *arguments] = json.loads(found[1])
    assert python == "python"
    environment = {**os.environ, "SIDEWITNESS_ADMIN_PORT": operators.rpartition(":")[2]}
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=environment)
    return await asyncio.wait_for(process.wait(), PATIENCE)


async def test_what_the_end_closes_is_delivered_before_sinks_are_closed(tmp_path: Path) -> None:
    sink = MemorySink()
    with quiet_log():
        async with serving(tmp_path, sinks=[named(sink)]) as site, site.client() as client:
            published = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
            assert published.status_code == 201
            site.peers.made[0].put(block(OPEN))
            await sink.until(lambda: len(sink.items) == 1)
            await site.stop()
            assert [entry.finding.action for entry in sink.items if isinstance(entry, Entry)] == ["opened", "closed"]
            assert sink.closed


def test_a_sink_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, sinks=(SinkSettings(kind="carrier-pigeon"),))
    with quiet_log(), pytest.raises(ConfigError, match="there is no such sink, choose one of elastic, jsonl"):
        run(settings, lambda: pytest.fail("models were loaded for nothing"))


async def test_a_token_from_the_environment_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_TOKEN", TOKEN)
    settings = Settings(token=SecretStr(TOKEN), state_dir=tmp_path)
    for private in (True, False):
        assert not any(TOKEN in line for line in greeting("http://x", "http://y", None, settings, private))
    assert BEARER["Authorization"].endswith(TOKEN)


def test_the_token_is_shown_to_a_person_and_to_no_log(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    shown = greeting("http://x", "http://y", TOKEN, settings, private=True)
    assert shown[:2] == [
        f"Sidewitness is ready: http://x/#token={TOKEN}",
        f"Try it with your camera: http://x/try#token={TOKEN}",
    ]
    kept = greeting("http://x", "http://y", TOKEN, settings, private=False)
    assert not any(TOKEN in line for line in kept)
    assert any(str(tmp_path / "token") in line for line in kept)
    assert shown[-1] == kept[-1] == "Health and metrics: http://y/"


def test_a_terminal_is_private_unless_a_container_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path("/dev/console") in CONTAINER_LOGS
    log = tmp_path / "log"
    monkeypatch.setattr("monitor.serve.CONTAINER_LOGS", (tmp_path / "absent", log))
    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w") as terminal, (tmp_path / "file").open("w") as file:
            assert is_private(terminal)
            assert not is_private(file)
            log.touch()
            assert is_private(terminal)
            log.unlink()
            log.symlink_to(os.ttyname(slave))
            assert not is_private(terminal)
    finally:
        os.close(master)


async def test_on_a_terminal_the_link_holds_the_token(tmp_path: Path) -> None:
    """As with `make run`: the address that is printed opens the dashboard."""
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path / "state"), cwd=ROOT, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    try:
        with os.fdopen(master, "rb", closefd=True) as terminal:
            line = (await asyncio.wait_for(asyncio.to_thread(terminal.readline), PATIENCE)).decode().strip()
            token = (tmp_path / "state" / "token").read_text().strip()
            base, linked = line.split("ready: ")[1].split("/#token=")
            assert linked == token
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {linked}"}) as client:
                assert (await client.get(f"{base}/v1/calls")).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_an_address_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port} .*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="no such address"):
        listen("no-such-host.invalid", 1)


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as four:
        assert address(four).startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with listen("::1", 0) as six:
            assert address(six).startswith("http://[::1]:")

"""The server as a process: starts, says where, stops on SIGTERM with status 0, refuses what it cannot use in a line."""

from __future__ import annotations

import asyncio
import json
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
from monitor.serve import greeting, run
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
    base, token = greeted[0].split(" ")[-1].split("/#token=")
    assert greeted[1].endswith(f"{base}/try#token={token}")
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / "token").read_text().strip() == token
    async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}) as client:
        assert (await client.get("/readyz")).status_code == 200
        published = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
        assert published.status_code == 201
        async with asyncio.timeout(PATIENCE):
            while not (await client.get("/v1/findings")).json()["findings"]:
                pass
        assert 'sidewitness_sink_healthy{sink="jsonl"} 1.0' in (await client.get("/metrics")).text
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
    with quiet_log(), pytest.raises(ConfigError, match="there is no such sink, choose one of jsonl"):
        run(settings, lambda: pytest.fail("models were loaded for nothing"))


async def test_a_token_from_the_environment_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_TOKEN", TOKEN)
    settings = Settings(token=SecretStr(TOKEN), state_dir=tmp_path)
    assert not any(TOKEN in line for line in greeting("http://x", None, settings))
    assert BEARER["Authorization"].endswith(TOKEN)


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

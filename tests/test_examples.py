"""The examples: they start, say what they need, and the subscriber resumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from examples import subscriber

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDEWITNESS_")} | settings
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean)


@pytest.mark.parametrize(
    ("name", "option"), [("subscriber.py", "--token"), ("publish_file.py", "--token"), ("embed.py", "--identity")]
)
def test_an_example_helps(name: str, option: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["subscriber.py"], "no token: set SIDEWITNESS_TOKEN"),
        (["publish_file.py", "absent.mp4"], "no token: set SIDEWITNESS_TOKEN"),
        (["publish_file.py", "absent.mp4", "--token", "x"], "absent.mp4 is no file"),
        (["embed.py", "absent.mp4"], "absent.mp4 is no file"),
        (["publish_file.py", __file__, "--token", "x", "--url", "file:///etc"], "must start with http"),
    ],
)
def test_an_example_says_what_it_needs(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.data
def test_a_clip_is_judged_inside_another_program(tmp_path: Path, data_dir: Path) -> None:
    clip = data_dir / "clips/real/LivePortrait__d20.mp4"
    done = run("embed.py", str(clip), SIDEWITNESS_STATE_DIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(message["call"], message["participant"]) for message in messages} == {("example", "participant")}
    states = [message for message in messages if message["type"] == "state"]
    assert any(state["scores"].get("synchrony", {}).get("score") is not None for state in states)
    assert states[-1]["reason"] == "ended"
    # A genuine person.
    assert [message["action"] for message in messages if message["type"] == "finding"] == []


class Server:
    """Speaks the protocol from a list of findings and leaves after each; the last connection gets 4401."""

    def __init__(self, visits: list[list[int]]) -> None:
        self.visits = visits
        self.asked: list[Any] = []

    async def __call__(self, socket: ServerConnection) -> None:
        message = json.loads(await socket.recv())
        assert message["type"] == "subscribe"
        self.asked.append(message["after"])
        if not self.visits:
            await socket.close(4401, "no or bad token")
            return
        await socket.send(json.dumps({"type": "hello", "seq": 7}))
        for seq in self.visits.pop(0):
            await socket.send(json.dumps({"type": "finding", "seq": seq}))
        await socket.close(1012, "restart")


async def test_the_subscriber_resumes_after_the_last_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subscriber, "FIRST_PAUSE", 0.0)
    server = Server([[], [8, 9], [10]])
    async with serve(server, "127.0.0.1", 0, subprotocols=[Subprotocol("sidewitness.alerts.v1")]) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/alerts"
        assert await subscriber.forever(url, "token", tmp_path / "cursor.txt") == 1
    assert server.asked == [None, 7, 9, 10]
    said = capsys.readouterr()
    assert [json.loads(line)["seq"] for line in said.out.splitlines()] == [8, 9, 10]
    assert "no or bad token" in said.err
    assert subscriber.recall(tmp_path / "cursor.txt") == 10

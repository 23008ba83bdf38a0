"""The plug-in that plays a folder: on its own against a double of the sidecar, and in a sidecar that serves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.tap.kit import ActionKind, AudioBlock, Profile, Source
from plugins.base import Admitted, Listed, NoRoom, Unavailable
from plugins.folder import MAX_CLIPS, REPEAT_SECONDS, Folder, FolderOptions, Playing, find_clips
from tests.monitor.tap.clips import write_clip

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-the-tests"
CLIPS = {"ada": "clips/real/LivePortrait__d12.mp4", "bob": "clips/real/LivePortrait__d20.mp4"}


class Gone:
    """Somebody who has left already."""

    ended = True

    async def wait(self) -> None:
        return

    async def end(self) -> None:
        return


@dataclass
class Doorman:
    """Notes who is brought; refuses as often as it is told to, and ends what plays in loops after some rounds."""

    refusals: int = 0
    rounds: int = 100
    admitted: list[tuple[str, str, str | None]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    joined: bool = False
    listed: list[dict[str, str | None]] = field(default_factory=list)

    async def admit(
        self,
        call: str,
        participant: str,
        source: Source,
        identity: str | None = None,
        profile: Profile | None = None,
    ) -> Admitted:
        assert isinstance(source, Playing)
        if self.refusals:
            self.refusals -= 1
            raise NoRoom("all places are taken", 5.0)
        self.admitted.append((call, participant, identity))
        if len(self.admitted) >= self.rounds:
            raise ConnectionError("enough")
        return Gone()

    def roster(self, call: str, listed: Sequence[Listed]) -> None:
        self.listed.append({one.participant: one.identity for one in listed})

    async def claims(
        self, call: str, participant: str, identity: str | None = None, profile: Profile | None = None
    ) -> bool:
        raise AssertionError("a folder chooses nobody")

    async def forget(self, call: str) -> None:
        raise AssertionError("a folder revokes nothing")

    def connected(self) -> None:
        self.joined = True

    def waiting(self, why: str) -> None:
        raise AssertionError(why)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "call"
    made.mkdir()
    clip = write_clip(made / "Ada Lovelace.mp4", seconds=0.5, size=(64, 64))
    shutil.copy(clip, made / "bob.mp4")
    shutil.copy(clip, made / "bob.mkv")
    (made / "broken.mp4").write_text("no clip")
    (made / "notes.txt").write_text("no clip either")
    (made / "folder.mp4").mkdir()
    return made


async def test_every_clip_is_a_participant_named_after_its_file(folder: Path) -> None:
    doorman = Doorman()
    options = FolderOptions(path=folder, call="the board", identities={"Ada Lovelace": "Ada"})
    await Folder(options).run(doorman)
    assert doorman.joined
    assert sorted(doorman.admitted) == [
        ("the_board", "Ada_Lovelace", "Ada"),
        ("the_board", "bob", None),
        ("the_board", "bob.mp4", None),
    ]
    assert doorman.slept == []
    # Whoever there is no room for is in the call as well, until their clip is over.
    assert doorman.listed[0] == {"Ada_Lovelace": "Ada", "bob": None, "bob.mp4": None}
    assert doorman.listed[-1] == {}


async def test_who_finds_no_room_comes_again(folder: Path) -> None:
    doorman = Doorman(refusals=2)
    await Folder(FolderOptions(path=folder)).run(doorman)
    assert len(doorman.admitted) == 3
    assert doorman.slept == [5.0, 5.0]


async def test_a_loop_rejoins(folder: Path) -> None:
    doorman = Doorman(rounds=12)
    with pytest.raises(ExceptionGroup):
        await Folder(FolderOptions(path=folder, loop=True)).run(doorman)
    assert {participant for _, participant, _ in doorman.admitted} == {"Ada_Lovelace", "bob", "bob.mp4"}
    assert set(doorman.slept) == {REPEAT_SECONDS}


def test_what_holds_no_clip_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot be read \(No such file or directory\): correct its path"):
        find_clips(tmp_path / "absent")
    with pytest.raises(Unavailable, match="holds no clip that can be read"):
        find_clips(tmp_path)
    for number in range(MAX_CLIPS + 1):
        (tmp_path / f"{number}.mp4").touch()
    with pytest.raises(Unavailable, match="more than 256 clips"):
        find_clips(tmp_path)


@asynccontextmanager
async def sidecar(folder: Path, sources: list[dict[str, Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """Run `sidewitness serve` as a process with these sources; it must end by SIGTERM with status 0."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    settings = {
        "SIDEWITNESS_PORT": "0",
        "SIDEWITNESS_TOKEN": TOKEN,
        "SIDEWITNESS_STATE_DIR": str(folder),
        "SIDEWITNESS_SOURCES": json.dumps(sources),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.cli", "serve", cwd=ROOT, env=clean | settings, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        base = line.split("ready: ")[1].split("/ ")[0].strip()
        async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0


@pytest.mark.data
async def test_a_folder_is_judged_by_a_sidecar_that_serves(tmp_path: Path, data_dir: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, clip in CLIPS.items():
        shutil.copy(data_dir / clip, clips / f"{name}.mp4")
    seen: dict[str, list[dict[str, Any]]] = {}
    here: set[str] = set()
    absent = str(tmp_path / "absent")
    sources = [{"plugin": "folder", "path": str(clips), "call": "board"}, {"plugin": "folder", "path": absent}]
    async with sidecar(tmp_path / "state", sources) as client, asyncio.timeout(PATIENCE):
        while here or set(seen) != set(CLIPS):
            calls = (await client.get("/v1/calls")).json()["calls"]
            assert {call["call"] for call in calls} <= {"board"}
            people = [person for call in calls for person in call["participants"]]
            here = {person["participant"] for person in people}
            for person in people:
                seen.setdefault(person["participant"], []).append(person)
        states = [state for person in seen.values() for state in person]
        assert all(any(state["quality"].get("fps") for state in person) for person in seen.values())
        # They are scored, or it is said that this machine is too busy for it.
        scored = any(state["scores"].get("synchrony", {}).get("score") is not None for state in states)
        assert scored or "overloaded" in {state["reason"] for state in states}
        # Its source ends a moment after the last of them. The folder that is not there is tried again and again, and
        # harmed nobody.
        while 'sidewitness_sources{phase="ended"} 1.0' not in (numbers := (await client.get("/metrics")).text):
            pass
        assert 'sidewitness_sources{phase="connected"} 0.0' in numbers
        assert (await client.get("/v1/findings")).json()["findings"] == []


class Room(Doorman):
    """Reads every clip to its end, as the sidecar does, and notes how much was heard."""

    def __init__(self) -> None:
        super().__init__()
        self.playing: dict[str, Playing] = {}
        self.heard: dict[str, int] = {}
        self.began = asyncio.Event()

    async def admit(
        self,
        call: str,
        participant: str,
        source: Source,
        identity: str | None = None,
        profile: Profile | None = None,
    ) -> Admitted:
        assert isinstance(source, Playing)
        self.playing[participant] = source
        return Reading(self, participant, source)


class Reading(Gone):
    """Somebody whose clip is read."""

    def __init__(self, room: Room, participant: str, source: Playing) -> None:
        self._room, self._participant, self._source = room, participant, source

    async def wait(self) -> None:
        async for item in self._source:
            if isinstance(item, AudioBlock):
                self._room.heard[self._participant] = self._room.heard.get(self._participant, 0) + 1
                self._room.began.set()


async def test_who_is_muted_is_heard_no_more_and_who_is_removed_does_not_come_again(tmp_path: Path) -> None:
    write_clip(tmp_path / "ada.mp4", seconds=30.0)
    room, plugin = Room(), Folder(FolderOptions(path=tmp_path, loop=True))
    assert plugin.actions == {ActionKind.MUTE, ActionKind.REMOVE, ActionKind.END_CALL}
    with pytest.raises(Unavailable, match="is not played"):
        await plugin.mute("folder", "bob")
    async with asyncio.timeout(PATIENCE):
        running = asyncio.create_task(plugin.run(room))
        await room.began.wait()
        await plugin.mute("folder", "ada")
        assert room.playing["ada"].muted
        heard = room.heard["ada"]
        await plugin.remove("folder", "ada")
        await running
    # What was on its way when it was muted is at most one item.
    assert room.heard["ada"] <= heard + 1
    assert list(room.playing) == ["ada"]


async def test_the_end_of_the_call_is_the_end_of_everybody(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        write_clip(tmp_path / f"{name}.mp4", seconds=30.0)
    room, plugin = Room(), Folder(FolderOptions(path=tmp_path, loop=True))
    async with asyncio.timeout(PATIENCE):
        running = asyncio.create_task(plugin.run(room))
        await room.began.wait()
        await plugin.end_call("folder")
        await running

"""A folder of recorded clips as a call: every clip is a participant named after its file, in real time.

For trying a set-up, demonstrations and load; the clips begin together, as far as there is room for their participants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import Field

from monitor.tap.kit import ActionKind, AudioBlock, MediaItem, ReplaySource, SourceError, probe_clip
from plugins.base import Acting, Intake, Listed, NoRoom, PluginOptions, PluginSpec, Unavailable, name_from

SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm"})
MAX_CLIPS = 256
REPEAT_SECONDS = 1.0


class FolderOptions(PluginOptions):
    """`path` is the folder. With `loop` a clip that has ended is played again, as somebody who leaves and rejoins.

    `identities` says who claims to be whom: the name of a file without its suffix, and that of an enrolled person.
    """

    path: Path
    call: str = Field(default="folder", min_length=1, max_length=128)
    loop: bool = False
    identities: dict[str, str] = Field(default_factory=dict)


class Playing:
    """A clip that is played, as a `Source` of which sound can be taken away."""

    def __init__(self, clip: Path) -> None:
        self._clip = ReplaySource(clip, realtime=True)
        self.muted = False

    @property
    def dropped(self) -> int:
        """Pictures dropped because the reader was too slow."""
        return self._clip.dropped

    def pause(self, paused: bool) -> None:
        """Skip what lies in the pause."""
        self._clip.pause(paused)

    async def close(self) -> None:
        """End it; safe to call twice."""
        await self._clip.close()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield what is seen, and what is heard until it is muted."""
        async for item in self._clip:
            if not (self.muted and isinstance(item, AudioBlock)):
                yield item


class Folder(Acting):
    """Plays the clips that are in the folder as it is opened.

    Its call is a real one as far as actions go: who is muted is heard no more, who is removed does not come again.
    """

    def __init__(self, options: FolderOptions) -> None:
        self._options = options
        self._playing: dict[str, Playing] = {}
        self._removed: set[str] = set()
        self._here: dict[str, Listed] = {}

    @property
    def actions(self) -> frozenset[ActionKind]:
        """What it can do."""
        return frozenset({ActionKind.MUTE, ActionKind.REMOVE, ActionKind.END_CALL})

    async def mute(self, call: str, participant: str) -> None:
        """Take somebody's sound away."""
        self._played(participant).muted = True

    async def remove(self, call: str, participant: str) -> None:
        """End somebody's clip, for good."""
        playing = self._played(participant)
        self._removed.add(participant)
        await playing.close()

    async def end_call(self, call: str) -> None:
        """End every clip, for good."""
        self._removed |= set(self._playing)
        await asyncio.gather(*(playing.close() for playing in self._playing.values()))

    def _played(self, participant: str) -> Playing:
        playing = self._playing.get(participant)
        if playing is None:
            raise Unavailable("the clip is not played now")
        return playing

    async def run(self, intake: Intake) -> None:
        """Play every clip to its end; raises `Unavailable` where there is nothing to play."""
        clips = await asyncio.to_thread(find_clips, self._options.path)
        intake.connected()
        claims = self._options.identities
        self._here = {name: Listed(name, identity=claims.get(clip.stem)) for name, clip in clips.items()}
        self._list(intake)
        async with asyncio.TaskGroup() as players:
            for participant, clip in clips.items():
                players.create_task(self._play(intake, participant, clip))

    def _list(self, intake: Intake) -> None:
        """Say whose clips are to be played, for whom there may be no room."""
        intake.roster(name_from(self._options.call), tuple(self._here.values()))

    async def _play(self, intake: Intake, participant: str, clip: Path) -> None:
        await self._play_until_over(intake, participant, clip)
        del self._here[participant]
        self._list(intake)

    async def _play_until_over(self, intake: Intake, participant: str, clip: Path) -> None:
        options = self._options
        while True:
            playing = self._playing[participant] = Playing(clip)
            try:
                admitted = await intake.admit(
                    name_from(options.call), participant, playing, options.identities.get(clip.stem)
                )
            except NoRoom as refusal:
                await intake.sleep(refusal.retry_after_seconds or REPEAT_SECONDS)
                continue
            await admitted.wait()
            if not options.loop or participant in self._removed:
                return
            await intake.sleep(REPEAT_SECONDS)


def find_clips(folder: Path) -> dict[str, Path]:
    """Return the clips of a folder that can be read, by participant; raises `Unavailable`."""
    try:
        files = sorted(path for path in folder.expanduser().iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise Unavailable(f"the folder of clips cannot be read ({error.strerror}): correct its path") from None
    except (RuntimeError, ValueError):
        # The home of nobody, a null character.
        raise Unavailable("the folder of clips is no path of this machine: correct it") from None
    if len(files) > MAX_CLIPS:
        raise Unavailable(f"the folder holds more than {MAX_CLIPS} clips: use a smaller one")
    clips: dict[str, Path] = {}
    for file in filter(_is_readable, files):
        name = name_from(file.stem)
        clips[name if name not in clips else name_from(file.name)] = file
    if not clips:
        raise Unavailable("the folder holds no clip that can be read: put MP4, WebM, MKV, MOV or AVI files in it")
    return clips


def _is_readable(clip: Path) -> bool:
    try:
        probe_clip(clip)
    except SourceError:
        return False
    return True


SPEC = PluginSpec("folder", FolderOptions, Folder)

"""A folder of recorded clips as a call: every clip is a participant named after its file, in real time.

For trying a set-up, demonstrations and load; the clips begin together, as far as there is room for their participants.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field

from monitor.tap.kit import ReplaySource, SourceError, probe_clip
from plugins.base import Intake, NoRoom, PluginOptions, PluginSpec, Unavailable, name_from

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


class Folder:
    """Plays the clips that are in the folder as it is opened."""

    def __init__(self, options: FolderOptions) -> None:
        self._options = options

    async def run(self, intake: Intake) -> None:
        """Play every clip to its end; raises `Unavailable` where there is nothing to play."""
        clips = await asyncio.to_thread(find_clips, self._options.path)
        intake.connected()
        async with asyncio.TaskGroup() as players:
            for participant, clip in clips.items():
                players.create_task(self._play(intake, participant, clip))

    async def _play(self, intake: Intake, participant: str, clip: Path) -> None:
        options = self._options
        while True:
            try:
                admitted = await intake.admit(
                    name_from(options.call),
                    participant,
                    ReplaySource(clip, realtime=True),
                    options.identities.get(clip.stem),
                )
            except NoRoom as refusal:
                await intake.sleep(refusal.retry_after_seconds or REPEAT_SECONDS)
                continue
            await admitted.wait()
            if not options.loop:
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

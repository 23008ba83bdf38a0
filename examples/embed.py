"""Sidewitness inside another program: judges a recorded clip as a participant and prints what subscribers are sent.

python examples/embed.py clip.mp4
python examples/embed.py clip.mp4 --identity "Ada Lovelace"      # somebody who is enrolled in this installation
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

# Before numpy is imported: its threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from monitor import ReplaySource, Settings, Sidecar, SidewitnessError, configure_logging, load_settings


async def print_messages(messages: AsyncIterator[dict[str, Any]]) -> None:
    """Print messages, a line each, until the sidecar has ended."""
    async for message in messages:
        print(json.dumps(message), flush=True)  # noqa: T201


async def judge(clip: Path, identity: str | None, settings: Settings) -> None:
    """Judge a clip in real time, as if it came from a call."""
    async with Sidecar(settings) as sidecar:
        printing = asyncio.create_task(print_messages(sidecar.alerts(states=True)))
        # Any object with the methods of `monitor.Source` can stand here: your platform's own media, for example.
        source = ReplaySource(clip, realtime=True)
        participant = await sidecar.admit("example", "participant", source, identity)
        await participant.wait()
    # The messages end after the sidecar: a finding that the end closes is printed too.
    await printing


def main() -> int:
    """Read the command line and judge; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="a recorded clip with a face and a voice")
    parser.add_argument("--identity", help="the enrolled person whom the participant claims to be")
    arguments = parser.parse_args()
    if not arguments.clip.is_file():
        parser.error(f"{arguments.clip} is no file")
    configure_logging("warning")
    try:
        asyncio.run(judge(arguments.clip, arguments.identity, load_settings()))
    except SidewitnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A subscriber that misses nothing: prints each finding as a line of JSON, and resumes where it left off.

    export SIDEWITNESS_TOKEN=...
    python examples/subscriber.py --cursor cursor.txt

The cursor is written after a finding was handled, so that one interrupted in between comes again: delivery is at least
once, and `seq` tells repeats apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("sidewitness.alerts.v1")
# No or a bad token, a bad message: trying again would not help.
FINAL = {4401, 4400}
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


def handle(message: dict[str, Any]) -> None:
    """Do what your product does with a finding; here it is printed."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def subscribe(url: str, token: str, cursor: Path) -> None:
    """Take findings until the connection ends, which raises `ConnectionClosed`."""
    after = recall(cursor)
    async with connect(url, subprotocols=[SUBPROTOCOL]) as socket:
        await socket.send(json.dumps({"type": "subscribe", "token": token, "after": after, "states": False}))
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "gap":
                sys.stderr.write(f"findings up to {message['after']} are no longer kept\n")
            elif message["type"] == "tampered":
                sys.stderr.write(f"finding {message['seq']} was changed in the journal: see doctor --audit\n")
            elif message["type"] == "finding":
                handle(message)
                remember(cursor, message["seq"])
            elif message["type"] == "hello" and after is None:
                # From here on nothing is missed, even if the first finding comes after a reconnection.
                after = message["seq"]
                remember(cursor, message["seq"])


def recall(cursor: Path) -> int | None:
    """Read the cursor, None before the first start."""
    return int(cursor.read_text()) if cursor.exists() else None


def remember(cursor: Path, seq: int) -> None:
    """Replace the cursor in one step, so that a crash leaves the old or the new one."""
    new = cursor.with_suffix(".new")
    new.write_text(str(seq))
    new.replace(cursor)


async def forever(url: str, token: str, cursor: Path) -> int:
    """Reconnect, with growing pauses, until an error that reconnecting cannot cure."""
    pause = FIRST_PAUSE
    while True:
        try:
            await subscribe(url, token, cursor)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            if code in FINAL:
                sys.stderr.write(f"error: refused ({closed.rcvd and closed.rcvd.reason}): check SIDEWITNESS_TOKEN\n")
                return 1
            sys.stderr.write(f"connection ended ({code}), resuming\n")
            pause = FIRST_PAUSE
        except (OSError, InvalidHandshake) as error:
            sys.stderr.write(f"cannot reach {url} ({error}), trying again in {pause:.0f} s\n")
            pause = min(2 * pause, LONGEST_PAUSE)
        await asyncio.sleep(pause)


def main() -> int:
    """Read the options and run until interrupted."""
    parser = argparse.ArgumentParser(description="Print findings of a Sidewitness as lines of JSON.")
    parser.add_argument("--url", default="ws://127.0.0.1:8480/v1/alerts")
    parser.add_argument("--token", default=os.environ.get("SIDEWITNESS_TOKEN"), help="default: SIDEWITNESS_TOKEN")
    parser.add_argument("--cursor", type=Path, default=Path("cursor.txt"), help="where the last seq is kept")
    options = parser.parse_args()
    if not options.token:
        parser.error("no token: set SIDEWITNESS_TOKEN or give --token")
    try:
        return asyncio.run(forever(options.url, options.token, options.cursor))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

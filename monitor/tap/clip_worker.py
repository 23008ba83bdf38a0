"""The process in which a clip is decoded: it is told the limits, confines itself, opens the clip, and says what is in.

What `monitor.tap.sandbox` forks; the other end of its connection is `clip_process`.
"""

from __future__ import annotations

import json
import os
import pkgutil
import socket
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

import av
import numpy as np

from monitor.tap.clip_decode import decode_clip, read_header
from monitor.tap.clip_file import OpenFile, TrackChoice
from monitor.tap.clip_time import stamp_at
from monitor.tap.clip_wire import Kind, render, text
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.tap.media.source import SourceError
from monitor.tap.sandbox.confine import Bounds, Confinement, confine

_MAX_REQUEST_BYTES = 1 << 16
# What is sent in one piece.
_SMALL_BYTES = 1 << 14


def warm_up() -> None:
    """Load what is loaded at first use: once it is confined, a worker opens no file, not even a module."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    picture = av.VideoFrame(64, 48, "rgb24")
    list(render(to_video_frame(picture, stamp_at(0.0))))
    sound = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="stereo")
    sound.sample_rate, sound.pts, sound.time_base = 48_000, 0, Fraction(1, 48_000)
    cutter = AudioCutter()
    for _, samples in (*cutter.push(sound), *cutter.flush()):
        samples.tobytes()
    text(Kind.FAULT, {"track": "video"})


def work(connection: socket.socket, files: Sequence[int], offline: bool) -> None:
    """Answer one request and end."""
    request = _request(connection)
    limits = ClipLimits(**request["limits"])
    if request["niceness"] > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, request["niceness"])
    file_bytes = os.fstat(files[0]).st_size if files else 0
    confined = confine(Bounds(limits.memory_bytes, limits.cpu_seconds(file_bytes)), offline)
    try:
        if not files:
            _send(connection, text(Kind.INFO, _try_out(confined)))
            return
        opened = [OpenFile(request["name"], descriptor) for descriptor in files]
        _answer(connection, opened, limits, TrackChoice(**request["choice"]), request["items"])
    except SourceError as refusal:
        _send(connection, text(Kind.REFUSED, {"why": str(refusal)}))
    except MemoryError:
        _send(
            connection,
            text(Kind.REFUSED, {"why": f"{request['name']} takes more memory than a clip may: scale it down"}),
        )
    except OSError:
        # Nobody listens any more.
        return
    except Exception as error:
        why = f"{request['name']} broke its decoder ({type(error).__name__}): export it again"
        _send(connection, text(Kind.REFUSED, {"why": why}))


def _answer(
    connection: socket.socket, files: Sequence[OpenFile], limits: ClipLimits, choice: TrackChoice, items: bool
) -> None:
    info = read_header(files[0], limits, choice)
    _send(connection, text(Kind.INFO, info.as_json()))
    if items:
        file_bytes = os.fstat(files[0].descriptor).st_size
        for item in decode_clip(files, info.tracks, limits, file_bytes):
            _send(connection, render(item))
    _send(connection, text(Kind.END, {}))


def _send(connection: socket.socket, pieces: Sequence[bytes | memoryview]) -> None:
    if sum(map(len, pieces)) < _SMALL_BYTES:
        connection.sendall(b"".join(pieces))
        return
    for piece in pieces:
        connection.sendall(piece)


def _request(connection: socket.socket) -> dict[str, Any]:
    raw = b""
    while not raw.endswith(b"\n") and len(raw) < _MAX_REQUEST_BYTES:
        received = connection.recv(_MAX_REQUEST_BYTES)
        if not received:
            # Whoever asked is gone.
            os._exit(0)
        raw += received
    request: dict[str, Any] = json.loads(raw)
    return request


def _try_out(confined: Confinement) -> dict[str, object]:
    """Say what is in force, and what happens when it is tried."""
    return {**confined.as_json(), "refused": list(_refused())}


def _refused() -> Iterator[str]:
    """Try what a worker must not be able to do; yields the name of each that it was not."""
    attempts: dict[str, Callable[[], object]] = {
        "open": lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)),
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "fork": _fork,
        "kill": lambda: os.kill(os.getppid(), 0),
        "root": lambda: os.setuid(0),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            yield name


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)

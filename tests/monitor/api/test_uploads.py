from __future__ import annotations

import asyncio
import os
import resource
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from monitor.api.form import FormError
from monitor.api.uploads import FLUSH_BYTES, Uploads
from monitor.config import ConfigError
from tests.monitor.api.test_form import END, KIND, part


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def accept(_fields: Mapping[str, str]) -> None:
    pass


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    made = Uploads(tmp_path / "uploads", 5 * FLUSH_BYTES)
    assert made.open() == 0
    return made


def everything(folder: Path) -> list[Path]:
    return list((folder / "uploads").rglob("*"))


async def test_clips_are_written_privately_and_deleted(uploads: Uploads, tmp_path: Path) -> None:
    seen: list[Mapping[str, str]] = []
    large = os.urandom(2 * FLUSH_BYTES)
    body = part("consent", b"{}") + part("clips", large, "../a.mp4") + part("clips", b"two", "a.mp4") + END
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    upload = await uploads.receive(KIND, stream(*pieces), seen.append)
    assert seen == [{"consent": "{}"}]
    assert [path.name for path in upload.clips] == ["a.mp4", "a.mp4"]
    assert [path.read_bytes() for path in upload.clips] == [large, b"two"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in upload.clips)
    assert stat.S_IMODE((tmp_path / "uploads").stat().st_mode) == 0o700
    upload.delete()
    upload.delete()
    assert everything(tmp_path) == []


async def test_refused_fields_leave_nothing(uploads: Uploads, tmp_path: Path) -> None:
    def refuse(fields: Mapping[str, str]) -> None:
        raise LookupError(*fields)

    body = part("consent", b"{}") + part("clips", b"x" * 100, "a.mp4") + END
    with pytest.raises(LookupError):
        await uploads.receive(KIND, stream(body), refuse)
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ((part("clips", b"x" * FLUSH_BYTES, "a.mp4"),), 400),
        ((part("clips", b"x", "a.mp4")[:-2], *([b"y" * FLUSH_BYTES] * 6)), 413),
        ((END,), 400),
    ],
)
async def test_refused_clips_leave_nothing(
    uploads: Uploads, tmp_path: Path, chunks: tuple[bytes, ...], status: int
) -> None:
    with pytest.raises(FormError) as caught:
        await uploads.receive(KIND, stream(*chunks), accept)
    assert caught.value.status == status
    assert everything(tmp_path) == []


@pytest.mark.parametrize(("idle", "whole"), [(0.01, 3600.0), (30.0, 0.01)])
async def test_who_sends_too_slowly_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: float, whole: float
) -> None:
    monkeypatch.setattr("monitor.api.uploads.UPLOAD_SECONDS", whole)
    uploads = Uploads(tmp_path / "uploads", 1000, idle_seconds=idle)
    uploads.open()

    async def stalled() -> AsyncIterator[bytes]:
        yield part("clips", b"x", "a.mp4")
        await asyncio.Event().wait()

    with pytest.raises(FormError, match="slowly") as caught:
        await uploads.receive(KIND, stalled(), accept)
    assert caught.value.status == 408
    assert everything(tmp_path) == []


async def test_a_cancelled_upload_leaves_nothing(uploads: Uploads, tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield part("clips", b"x" * FLUSH_BYTES, "a.mp4")
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(uploads.receive(KIND, stalled(), accept))
    await waiting.wait()
    assert everything(tmp_path) != []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert everything(tmp_path) == []


async def test_a_disk_without_room(uploads: Uploads, tmp_path: Path) -> None:
    body = part("clips", b"x" * 2000, "a.mp4") + END
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(FormError, match="no room") as caught:
            await uploads.receive(KIND, stream(body), accept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.status == 507
    assert everything(tmp_path) == []


async def test_a_disk_that_cannot_be_written(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "uploads").rmdir()
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(FormError, match="cannot be written") as caught:
        await uploads.receive(KIND, stream(part("clips", b"x", "a.mp4") + END), accept)
    assert caught.value.status == 503


async def test_what_a_crash_left_is_deleted_at_the_start(uploads: Uploads, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("not an upload")
    await uploads.receive(KIND, stream(part("clips", b"x", "a.mp4") + END), accept)
    (tmp_path / "uploads" / "link").symlink_to(kept)
    (tmp_path / "uploads" / "stray").write_text("x")
    assert Uploads(tmp_path / "uploads", 1000).open() == 3
    assert everything(tmp_path) == []
    assert (kept / "file").exists()


def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(ConfigError, match="permissions"):
        Uploads(tmp_path / "uploads", 1000).open()

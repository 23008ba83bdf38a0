"""Compiled engines on disk: stored under what they were compiled from and for, read back only if we wrote them.

Deserialising a TensorRT plan runs code that the plan brings along, so what is read must be what was built here: every
file starts with an HMAC over its name and content, made with a key that is drawn once and never leaves the folder.
The folder is for its owner alone (0700, files 0600). Files are written beside their place and moved into it, so a
reader sees all of a file or none. Whatever does not verify counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.base import EngineError, TensorSpec

KEY = "key"
KEY_BYTES = 32
TAG_BYTES = hashlib.sha256().digest_size
# Raise it when plans are made in another way from the same model.
RECIPE = 1

log = logging.getLogger(__name__)


class CacheError(EngineError):
    """The folder of compiled engines cannot be trusted or not be written."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The shapes of one bucket: per input the least, the best tuned and the largest, the batch axis first."""

    bucket: int
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class PlanKey:
    """All that a plan depends on: what it was compiled from (the model's sha256, shapes), with what, for what."""

    model: str
    profiles: tuple[Profile, ...]
    tensorrt: str
    capability: tuple[int, int]
    driver: int
    device: str
    recipe: int = RECIPE

    def digest(self) -> str:
        """Return the name of the plan: SHA-256 in hexadecimal."""
        return _digest(asdict(self))

    def machine(self) -> str:
        """Return the name of what is shared by all plans of this TensorRT on this GPU: the timings of kernels."""
        return _digest([self.tensorrt, self.capability, self.driver, self.device])


class PlanCache:
    """The folder of compiled engines; raises `CacheError` when others can read or write it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _owned(folder.lstat(), folder, stat.S_ISDIR)
            self._key = self._read_key()
        except OSError as error:
            raise CacheError(f"{folder} cannot be used ({error.strerror}): make it writable for this user") from None

    def load(self, name: str) -> bytes | None:
        """Return what was stored under this name, None if nothing was or if it is not what we wrote."""
        path = self.folder / name
        try:
            found = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read (%s): it is built anew", path.name, error.strerror)
            return None
        tag, content = found[:TAG_BYTES], found[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(name, content)):
            log.warning("%s is not as it was written here: it is built anew", path.name)
            return None
        return content

    def store(self, name: str, content: bytes) -> None:
        """Keep `content` under this name, in place of what was there; raises `CacheError`."""
        try:
            _write(self.folder / name, (self._tag(name, content), content))
        except OSError as error:
            raise CacheError(
                f"{self.folder} cannot be written ({error.strerror}): free space there, or make it writable"
            ) from None

    def _tag(self, name: str, content: bytes) -> bytes:
        # The name has a fixed alphabet and no zero byte, so no two pairs make the same message.
        return hmac.digest(self._key, name.encode() + b"\0" + content, hashlib.sha256)

    def _read_key(self) -> bytes:
        path = self.folder / KEY
        if not path.exists():
            # Of two processes that draw one at the same time the first wins, and both read its key.
            with contextlib.suppress(FileExistsError):
                _write(path, (secrets.token_bytes(KEY_BYTES),), replace=False)
        _owned(path.lstat(), path, stat.S_ISREG)
        key = _read(path)
        if len(key) != KEY_BYTES:
            raise CacheError(f"{path} is not a key: remove {self.folder}, everything in it can be built again")
        return key


def default_folder() -> Path:
    """Return `sidewitness/tensorrt` in the XDG cache directory of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sidewitness" / "tensorrt"


def sized(shape: Sequence[int], batch: int, length: int | None) -> tuple[int, ...]:
    """Return a shape of a manifest with the batch in front and its free axes this long."""
    return (batch, *(n if n != -1 or length is None else length for n in shape))


def profiles_of(inputs: Sequence[TensorSpec], buckets: Sequence[int], best: int, most: int) -> tuple[Profile, ...]:
    """Make a profile for each bucket: the batch is fixed to it, a free axis goes from 1 over `best` to `most`."""
    return tuple(
        Profile(
            bucket,
            tuple(
                (
                    spec.name,
                    sized(spec.shape, bucket, 1),
                    sized(spec.shape, bucket, best),
                    sized(spec.shape, bucket, most),
                )
                for spec in inputs
            ),
        )
        for bucket in buckets
    )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _owned(found: os.stat_result, path: Path, kind: Callable[[int], bool]) -> None:
    if not kind(found.st_mode):
        raise CacheError(f"{path} is not what belongs there: remove it")
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise CacheError(f"{path} is open to others: chmod -R go= it, or remove it")


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()


def _write(path: Path, parts: Sequence[bytes], replace: bool = True) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)

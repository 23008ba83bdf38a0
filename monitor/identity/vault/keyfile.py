"""The master key in a file of its owner, made when the first key is wrapped, and the choice of the key service.

A rotation puts the new key before the old one, wraps everything anew, and takes the old one out: the file holds every
key that is needed at every moment in between.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from monitor.config import Settings
from monitor.identity.vault.errors import KeysError
from monitor.identity.vault.keys import KeyService, LocalKeys, MasterKeys, decode_keys, encode_key, new_key

KEY_FILE_NAME = "vault.key"
KEY_FILE_HEADING = (
    "# Master key of the vault. Keep a copy of this file apart from the database, and show it to nobody.\n"
)


class FileKeys:
    """The key service of a key file, which is read again for an unknown key id: another process may have rotated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local: LocalKeys | None = None

    def __repr__(self) -> str:
        return "FileKeys(...)"

    @property
    def current(self) -> str:
        """The id of the first key; makes the file where there is none."""
        with contextlib.suppress(FileExistsError):
            if not self.path.exists():
                _create(self.path, [new_key()])
        return self._keys().current

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        """Wrap with the key of this id."""
        return self._keys().wrap(key_id, key, context)

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Open with the key of this id."""
        return self._keys().unwrap(key_id, wrapped, context)

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        """Hold a new key before the old one inside the block, and only the new one after it; raises `KeysError`.

        Where a rotation was begun and not ended, no further key is made: it goes on. Two at once are refused.
        """
        with _rotation_lock(self.path):
            keys = read_keys(self.path)
            if len(keys) == 1:
                _replace(self.path, [new_key(), *keys])
            self._local = None
            yield
            _replace(self.path, read_keys(self.path)[:1])
            self._local = None

    def _keys(self) -> LocalKeys:
        if self._local is None:
            self._local = LocalKeys(read_keys(self.path), lambda: read_keys(self.path))
        return self._local


def key_service(settings: Settings) -> KeyService:
    """Return where the settings say that master keys are kept; raises `KeysError`."""
    if settings.vault_kms is not None:
        return _load_key_service(settings.vault_kms)
    if settings.vault_key is not None:
        return LocalKeys(decode_keys(settings.vault_key.get_secret_value()))
    return FileKeys(settings.vault_key_file or settings.state_dir / KEY_FILE_NAME)


def load_keys(settings: Settings) -> MasterKeys:
    """Return the master keys that the settings name; raises `KeysError`."""
    return MasterKeys(key_service(settings))


def read_keys(path: Path) -> Sequence[bytes]:
    """Read a key file; raises `KeysError` where it is missing, readable by others, or no key file."""
    try:
        # Links are followed, and a group may read: that is how an orchestrator mounts a secret.
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise KeysError(f"{path} cannot be read ({error.strerror}): restore the vault's key file") from None
    with os.fdopen(descriptor, errors="replace") as file:
        if os.fstat(descriptor).st_mode & 0o037:
            raise KeysError(f"{path} can be read by others: run chmod 600 on it")
        return decode_keys(file.read())


def _load_key_service(name: str) -> KeyService:
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[[], KeyService] = getattr(importlib.import_module(module), attribute)
        return factory()
    except Exception as error:
        # A service's own text may quote anything.
        raise KeysError(
            f"vault_kms cannot be used ({type(error).__name__}): name a function as MODULE:FUNCTION that gives keys"
        ) from None


@contextlib.contextmanager
def _rotation_lock(path: Path) -> Iterator[None]:
    try:
        file = path.with_name(path.name + ".lock").open("w")
    except OSError as error:
        raise KeysError(
            f"{path.parent} cannot be written ({error.strerror}): rotate where the key file is kept"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise KeysError("another rotation of the master key is running: wait for it to end") from None
        yield


def _create(path: Path, keys: Sequence[bytes]) -> None:
    temporary = _write(path, keys)
    try:
        # A link, not a rename: of two processes that start at once, one makes the key and the other reads it.
        os.link(temporary, path)
    finally:
        temporary.unlink()
    _sync(path.parent)


def _replace(path: Path, keys: Sequence[bytes]) -> None:
    _write(path, keys).replace(path)
    _sync(path.parent)


def _write(path: Path, keys: Sequence[bytes]) -> Path:
    """Write the file beside its place, whole and on disk."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(KEY_FILE_HEADING + "".join(encode_key(key) + "\n" for key in keys))
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise KeysError(f"no key can be kept at {path} ({error.strerror}): set SIDEWITNESS_VAULT_KEY_FILE") from None
    return Path(name)


def _sync(folder: Path) -> None:
    # The name of a new file is on disk only when its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The installation's own key that signs reports: an Ed25519 key in a file of its owner, made at first use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from monitor.config import ConfigError

FILE_NAME = "reports.key"
MAX_KEY_BYTES = 4096


def load_or_make(state_dir: Path) -> Ed25519PrivateKey:
    """Return the key in `state_dir`, made where there is none; raises `ConfigError` where none can be had."""
    path = state_dir / FILE_NAME
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            _create(path)
    key = load(state_dir)
    if key is None:
        raise ConfigError(f"{path} has gone while it was made: try again")
    return key


def load(state_dir: Path) -> Ed25519PrivateKey | None:
    """Return the key in `state_dir`, None where there is none; raises `ConfigError` for a file that is no such key."""
    path = state_dir / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): correct it, or restore it") from None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others: run chmod 600 on it")
        text = file.read(MAX_KEY_BYTES)
    try:
        key = load_pem_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds no Ed25519 key in PEM: restore it, or move it away to have a new one made")
    return key


def _create(path: Path) -> None:
    """Make the file, whole or not at all; of two that do so at once, one raises `FileExistsError`."""
    text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): make the state directory writable") from None
    finally:
        temporary.unlink(missing_ok=True)

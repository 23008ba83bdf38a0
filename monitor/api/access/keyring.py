"""The Ed25519 keys that sign tokens (RFC 8037): a file of its owner; the first key signs, every key in it verifies.

The file is looked at whenever a token comes, and read again when it has changed: a key that is taken out is out of
force at once, in every process.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from monitor.config import ConfigError, Settings

FILE_NAME = "tokens.key"
# The only one that is ever looked at: what a token says of itself chooses nothing but the key.
ALGORITHM = "EdDSA"
MAX_TOKEN_CHARS = 2048
HEADING = "# Signs the tokens of sidewitness; the first key signs, all verify. Show it to nobody.\n"
KEY = re.compile(r"-----BEGIN PRIVATE KEY-----\n.+?\n-----END PRIVATE KEY-----\n?", re.DOTALL)
# Whether they hold is for `claims.read` to say, strictly and with one clock.
SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
}


class KeyRing:
    """The keys of a file, which is made when the first token is; raises `ConfigError` where the file is no such."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: Mapping[str, Ed25519PrivateKey] = {}

    def __repr__(self) -> str:
        return "KeyRing(...)"

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token with these claims."""
        if not self.path.exists():
            _create(self.path, [Ed25519PrivateKey.generate()])
        key_id, key = next(iter(self._current().items()))
        return jwt.encode(dict(claims), key, ALGORITHM, headers={"kid": key_id})

    def verify(self, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that one of the keys has signed, None of any other."""
        if len(token) > MAX_TOKEN_CHARS or token.count(".") != 2:
            return None
        keys = self._current() if self.path.exists() else {}
        try:
            key = keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return None
            claims: Mapping[str, Any] = jwt.decode(
                token, key.public_key(), algorithms=[ALGORITHM], options=SIGNATURE_ONLY
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return claims

    def rotate(self) -> int:
        """Put a new key before those that are there, which go on verifying; returns how many there are now."""
        keys = [Ed25519PrivateKey.generate(), *(self._current().values() if self.path.exists() else ())]
        _replace(self.path, keys)
        return len(keys)

    def drop_old(self) -> int:
        """Take out every key but the first: their tokens are refused from now on; returns how many went."""
        keys = list(self._current().values())
        _replace(self.path, keys[:1])
        return len(keys) - 1

    def _current(self) -> Mapping[str, Ed25519PrivateKey]:
        with self._lock:
            try:
                with self.path.open(errors="replace") as file:
                    status = os.fstat(file.fileno())
                    seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                    text = file.read() if seen != self._seen else ""
            except OSError as error:
                raise ConfigError(f"{self.path} cannot be read ({error.strerror}): set token_key_file") from None
            if seen != self._seen:
                # A group may read: that is how an orchestrator mounts a secret.
                if status.st_mode & 0o037:
                    raise ConfigError(f"{self.path} can be read by others: run chmod 600 on it")
                self._keys, self._seen = _parse(text, self.path), seen
            return self._keys


def key_ring(settings: Settings) -> KeyRing:
    """Return the keys where the settings say that they are."""
    return KeyRing(settings.token_key_file or settings.state_dir / FILE_NAME)


def key_id_of(key: Ed25519PrivateKey) -> str:
    """Return the name of a key in the header of its tokens: a digest of its public half."""
    digest = hashlib.sha256(key.public_key().public_bytes_raw()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def _parse(text: str, path: Path) -> Mapping[str, Ed25519PrivateKey]:
    try:
        keys = [load_pem_private_key(found.encode(), None) for found in KEY.findall(text)]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        keys = []
    ours = {key_id_of(key): key for key in keys if isinstance(key, Ed25519PrivateKey)}
    if not ours or len(ours) != len(keys):
        raise ConfigError(f"{path} holds no Ed25519 keys in PEM: restore it, or move it away and make new tokens")
    return ours


def _text(keys: Sequence[Ed25519PrivateKey]) -> str:
    blocks = (key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for key in keys)
    return HEADING + "".join(blocks)


def _write(descriptor: int, keys: Sequence[Ed25519PrivateKey]) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(_text(keys))
        file.flush()
        os.fsync(file.fileno())


def _create(path: Path, keys: Sequence[Ed25519PrivateKey]) -> None:
    """Make the file, whole or not at all; where another process makes it at the same moment, theirs stays."""
    temporary = _temporary(path, keys)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink()


def _replace(path: Path, keys: Sequence[Ed25519PrivateKey]) -> None:
    temporary = _temporary(path, keys)
    try:
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _temporary(path: Path, keys: Sequence[Ed25519PrivateKey]) -> Path:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        _write(descriptor, keys)
    except OSError as error:
        raise _unwritable(path, error) from None
    return Path(name)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be written ({error.strerror}): set token_key_file to a place of this user")

"""Master keys: they wrap the data keys and seal nothing else; from a file, the environment, or a key service.

Every wrapped key carries the id of the master key that wrapped it, so a rotation can stop anywhere and go on. Wrapping
is AES-256-GCM (NIST SP 800-38D) with a random nonce; its associated data names the master key and what the wrapped key
is for, so a wrapped key that is moved to another row does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitor.identity.vault.errors import KeysError
from monitor.identity.vault.sealing import NONCE_BYTES

KEY_BYTES = 32
DOMAIN = b"sidewitness wrapped key 1\0"
MAX_KEY_ID_CHARS = 200
KEY_FORMAT_ADVICE = f"a master key must be {KEY_BYTES} bytes in Base64: make one with `openssl rand -base64 32`"

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key under a master key; `key_id` says which."""

    key_id: str
    blob: bytes


class KeyService(Protocol):
    """What keeps master keys: the hook for a KMS or an HSM (`vault_kms`), and what the local keys are.

    `context` must be bound to the wrapped key (as an encryption context or associated data): unwrapping with another
    one fails. Any exception may be raised.
    """

    @property
    def current(self) -> str:
        """The id of the master key that new keys are wrapped with; at most 200 characters."""
        ...

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        """Wrap the 32 bytes of `key` with the master key `key_id`."""
        ...

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Return the 32 bytes that `wrap` took."""
        ...


class LocalKeys:
    """Master keys in this process: the first is current, the others only open what they wrapped before.

    `reload` reads them again where an id is not known: another process may have rotated them.
    """

    def __init__(self, keys: Sequence[bytes], reload: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._reload = reload
        self._set_keys(keys)

    def __repr__(self) -> str:
        return "LocalKeys(...)"

    @property
    def current(self) -> str:
        """The id of the first key."""
        return self._current

    def wrap(self, key_id: str, key: bytes, context: bytes) -> bytes:
        """Wrap with the key of this id; raises `KeysError` where it is not known."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key(key_id)).encrypt(nonce, key, _associated(key_id, context))

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Open with the key of this id; raises `KeysError`."""
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return AESGCM(self._key(key_id)).decrypt(nonce, sealed, _associated(key_id, context))
        except (InvalidTag, ValueError):
            raise KeysError("a wrapped key was changed or belongs elsewhere: restore the vault's backup") from None

    def _key(self, key_id: str) -> bytes:
        if key_id not in self._keys and self._reload is not None:
            self._set_keys(self._reload())
        if key_id not in self._keys:
            raise KeysError("the master key is not the one that sealed this vault: restore vault.key or the old key")
        return self._keys[key_id]

    def _set_keys(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise KeysError(KEY_FORMAT_ADVICE)
        self._keys = {key_id_of(key): bytes(key) for key in keys}
        self._current = key_id_of(keys[0])


class MasterKeys:
    """A key service, and its failures in one line."""

    def __init__(self, service: KeyService) -> None:
        self._service = service

    @classmethod
    def local(cls, *keys: bytes) -> MasterKeys:
        """Return master keys of 32 bytes each, the first current."""
        return cls(LocalKeys(keys))

    def __repr__(self) -> str:
        return "MasterKeys(...)"

    @property
    def current(self) -> str:
        """The id of the master key that should be in use; raises `KeysError`."""
        key_id = self._call(lambda: self._service.current)
        if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_CHARS:
            raise KeysError("the key service names no master key: correct what `vault_kms` names")
        return key_id

    def wrap(self, key: bytes, context: bytes, key_id: str | None = None) -> WrappedKey:
        """Wrap `key` with the master key `key_id`, else the current one; raises `KeysError`."""
        chosen = key_id or self.current
        return WrappedKey(chosen, self._call(lambda: self._service.wrap(chosen, key, context)))

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """Return the key; raises `KeysError` where it was changed, moved, or wrapped by a master key not known here."""
        key = self._call(lambda: self._service.unwrap(wrapped.key_id, wrapped.blob, context))
        if len(key) != KEY_BYTES:
            raise KeysError("the key service gave a key of the wrong length: correct what `vault_kms` names")
        return key

    def _call(self, operation: Callable[[], ResultT]) -> ResultT:
        try:
            return operation()
        except KeysError:
            raise
        except Exception as error:
            # A service's own text may quote anything.
            raise KeysError(f"the key service failed ({type(error).__name__}): see that it can be reached") from None


def new_key() -> bytes:
    """Return 32 fresh random bytes."""
    return os.urandom(KEY_BYTES)


def key_id_of(key: bytes) -> str:
    """Return the id of a local master key: a hash, which reveals nothing of its 256 random bits."""
    return "local-" + hashlib.sha256(b"sidewitness master key\0" + key).hexdigest()[:16]


def encode_key(key: bytes) -> str:
    """Return a key as Base64."""
    return base64.b64encode(key).decode()


def decode_keys(text: str) -> list[bytes]:
    """Read keys in Base64, separated by commas or white space, `#` comments left out; raises `KeysError`."""
    words = [word for line in text.splitlines() for word in line.partition("#")[0].replace(",", " ").split()]
    try:
        keys = [base64.b64decode(word, validate=True) for word in words]
    except (binascii.Error, ValueError):
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise KeysError(KEY_FORMAT_ADVICE)
    return keys


def _associated(key_id: str, context: bytes) -> bytes:
    name = key_id.encode()
    return DOMAIN + len(name).to_bytes(2, "big") + name + context

"""Sealing: what is written into the vault's database is encrypted and bound to the row that it belongs to. Pure.

Everything is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for each sealing. The associated data
(the context) name what it is, its schema, identity and version, so bytes that are moved to another row do not open.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from monitor.identity.vault.errors import VaultError

SCHEMA = 1
NONCE_BYTES = 12
MAX_TEMPLATE_BYTES = 64 << 20


def associated_data(kind: str, *parts: str | int | bytes) -> bytes:
    """Encode `kind` and `parts` unambiguously: each has its length before it, so no two lists give the same bytes."""
    encoded = [kind.encode(), *(part if isinstance(part, bytes) else str(part).encode() for part in parts)]
    return b"sidewitness vault\0" + b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def template_context(identity: str, version: int, name: str, schema: int = SCHEMA) -> bytes:
    """Return the associated data of a template: identity, version, schema, and the name that a participant claims."""
    return associated_data("template", schema, identity, version, name)


def data_key_context(identity: str, version: int, schema: int = SCHEMA) -> bytes:
    """Return the associated data of a template's wrapped data key."""
    return associated_data("data key", schema, identity, version)


NAMES_KEY_CONTEXT = associated_data("names key", SCHEMA)


def seal(key: bytes, data: bytes, context: bytes) -> bytes:
    """Return nonce and ciphertext of `data`, bound to `context`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return what was sealed; raises `VaultError` where key, bytes or place are not those of the sealing."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise VaultError(
            "an entry of the vault was changed or moved: restore a backup, or erase and enrol anew"
        ) from None


class FieldCipher:
    """Seals names, actors and consents, and signs, with keys derived (HKDF, RFC 5869) from one under the master key.

    An identity is found by a keyed hash of its name; who holds the database file alone cannot test a guessed name.
    """

    def __init__(self, root: bytes) -> None:
        uses = ("tag", "text", "audit", "findings")
        self._tag, self._text, self._audit, self._findings = (_derived(root, use) for use in uses)

    def __repr__(self) -> str:
        return "FieldCipher(...)"

    def tag(self, name: str) -> bytes:
        """Return the keyed hash (32 bytes) under which a name is found."""
        return hmac.digest(self._tag, name.encode(), "sha256")

    def seal(self, value: Any, kind: str, *context: str | int) -> bytes:
        """Seal JSON values, bound to their kind and to the row that `context` names."""
        return seal(self._text, json.dumps(value, ensure_ascii=False).encode(), associated_data(kind, SCHEMA, *context))

    def unseal(self, sealed: bytes, kind: str, *context: str | int) -> Any:
        """Return the JSON values; raises `VaultError` where they were changed or moved."""
        return json.loads(unseal(self._text, sealed, associated_data(kind, SCHEMA, *context)))

    def sign(self, data: bytes) -> bytes:
        """Return a keyed hash (32 bytes) that only a holder of the master key can make."""
        return hmac.digest(self._audit, data, hashlib.sha256)

    def sign_finding(self, data: bytes) -> bytes:
        """Return the keyed hash (32 bytes) that the journal signs findings with."""
        return hmac.digest(self._findings, data, hashlib.sha256)


def _derived(root: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"sidewitness names 1 " + use.encode()).derive(root)

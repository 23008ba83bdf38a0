"""Whose a model pack is: signed by the project (Ed25519, RFC 8032), or trusted by whoever runs it on this machine.

A manifest lists the hash of every file of its pack, so whoever vouches for the manifest vouches for all of it. A pack
of the installation has a signature beside its manifest, made with the project's key, whose public half is here. A pack
of one's own is trusted by its manifest's digest, in a file of the user; what a process has written itself it trusts
until it ends. Whoever can write this package can change the key: a signature tells of a pack that was changed by
itself, on the way or on disk, not of a machine that was taken over.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from engines.base import EngineError

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
STORE_VARIABLE = "SIDEWITNESS_TRUSTED_PACKS"
# Public halves of the project's keys, raw bytes (32) in Base64; the first signs, others are of earlier releases.
RELEASE_KEYS: tuple[str, ...] = (
    "3Oy2J63auCrWBGEOkTNI7eKAkCCVYnvpp37diwsCqx4=",
    "btUVpkwn4mVbwBZCPTCd7L8OFviARuDLRC9mL9+4wBw=",
)
DOMAIN = b"sidewitness model pack 1\0"

_made_here: set[str] = set()


class TrustError(EngineError):
    """The list of trusted packs, or a key to sign with, cannot be used."""


def digest_of(manifest: bytes) -> str:
    """Return what a pack is trusted by: the SHA-256 of its manifest, in hexadecimal."""
    return hashlib.sha256(manifest).hexdigest()


def sign(manifest: bytes, key: Ed25519PrivateKey) -> str:
    """Return the signature of a manifest as the text of `manifest.sig`."""
    return base64.b64encode(key.sign(DOMAIN + manifest)).decode() + "\n"


def is_signed(manifest: bytes, signature: bytes, keys: Sequence[str] | None = None) -> bool:
    """Whether one of `keys` (by default the project's) signed this manifest."""
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    for key in RELEASE_KEYS if keys is None else keys:
        with contextlib.suppress(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(raw, DOMAIN + manifest)
            return True
    return False


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read the key to sign with, an Ed25519 private key in PEM; raises `TrustError`."""
    advice = f"make one with `openssl genpkey -algorithm ed25519 -out {path.name}`"
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise TrustError(f"{path} cannot be read ({error.strerror}): {advice}") from None
    except (ValueError, TypeError):
        raise TrustError(f"{path} is no private key in PEM without a password: {advice}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path} is no Ed25519 key: {advice}")
    return key


def public_half(key: Ed25519PrivateKey) -> str:
    """Return a key's public half as `RELEASE_KEYS` has it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def store() -> Path:
    """Return the file that lists trusted packs: `SIDEWITNESS_TRUSTED_PACKS`, else in the user's configuration.

    Raises `TrustError` where the user has none.
    """
    if named := os.environ.get(STORE_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    try:
        return Path(base).expanduser() / "sidewitness" / "trusted-packs"
    except RuntimeError:
        raise TrustError(f"this user has no home directory for a list of trusted packs: set {STORE_VARIABLE}") from None


def is_trusted(manifest: bytes) -> bool:
    """Whether a pack with this manifest is trusted on this machine, or was written by this process.

    Raises `TrustError` where others could have written the list.
    """
    digest = digest_of(manifest)
    return digest in _made_here or digest in _listed(store())


def trust_here(manifest: bytes) -> None:
    """Trust a pack for as long as this process runs: it has just written it."""
    _made_here.add(digest_of(manifest))


def trust(name: str, manifest: bytes) -> Path:
    """Put a pack on the list of this user, and return where that is; raises `TrustError`."""
    path, line = store(), f"{digest_of(manifest)} {name}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if line.split()[0] in _listed(path):
            return path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a") as file:
            # Of two commands at once, the second writes after the first.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)
    except OSError as error:
        raise TrustError(f"{path} cannot be written ({error.strerror}): set {STORE_VARIABLE} to another file") from None
    return path


def _listed(path: Path) -> frozenset[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise TrustError(
            f"{path} cannot be read ({error.strerror}): make it readable for this user, or set {STORE_VARIABLE}"
        ) from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise TrustError(f"{path} cannot be read (it is no file): set {STORE_VARIABLE} to a file")
    with os.fdopen(descriptor, errors="replace") as file:
        # An image is built by root and run by another user, who may read and not write.
        if about.st_uid not in (0, os.geteuid()) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TrustError(
                f"{path} can be written by others: run chown and chmod 600 on it, and look at what it lists"
            )
        return frozenset(_digests(file))


def _digests(lines: Iterable[str]) -> Iterable[str]:
    return (line.split(maxsplit=1)[0] for line in lines if line.strip() and not line.startswith("#"))

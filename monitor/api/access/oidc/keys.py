"""The provider's public keys (RFC 7517): which signatures they verify, and when the list is to be asked for anew.

Pure. A token that names a key which is not in the list has it asked for, since providers change their keys; but not for
every such token: strangers can write any name into one. After a failure it is asked for ever more seldom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jwt

# With a public key only; `none` and the HMACs, which take the public key for a secret, are not among them.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)  # fmt: skip
OF_KEY_TYPE = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
MAX_TOKEN_CHARS = 16384
MAX_KEYS = 64
# A key that the provider has taken out is believed so long at most, whether or not the provider answers.
FRESH_SECONDS, STALE_SECONDS = 3600.0, 86400.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 15.0, 900.0
# Whether the claims hold is for `claims` to say, strictly and with one clock.
SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub"), False),
}


@dataclass(frozen=True, slots=True)
class KeyList:
    """Keys by their names, and when they were asked for; times in monotonic seconds."""

    keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict)
    fetched_at: float | None = None
    tried_at: float | None = None
    failures: int = 0

    def wants(self, key_id: str | None, now: float) -> bool:
        """Whether the list is to be asked for before a token is judged that names this key."""
        if self.tried_at is not None and now - self.tried_at < self._pause_seconds:
            return False
        is_old = self.fetched_at is None or now - self.fetched_at >= FRESH_SECONDS
        return is_old or (key_id is not None and key_id not in self.keys)

    def is_usable(self, now: float) -> bool:
        """Whether there are keys that may still be believed."""
        return self.fetched_at is not None and now - self.fetched_at < STALE_SECONDS

    def fetched(self, document: object, now: float) -> KeyList:
        """Return the list after an answer; raises `ValueError` where it is none."""
        return KeyList(_parse(document), now, now)

    def failed(self, now: float) -> KeyList:
        """Return the list after an attempt in vain."""
        return replace(self, tried_at=now, failures=self.failures + 1)

    def verified(self, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that one of the keys has signed, None of any other."""
        header = header_of(token)
        algorithm = header.get("alg") if header is not None else None
        key = self._key(header.get("kid")) if header is not None else None
        if key is None or not isinstance(algorithm, str) or not _fits(key, algorithm):
            return None
        try:
            claims: Mapping[str, Any] = jwt.decode(token, key.key, algorithms=[algorithm], options=SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None
        return claims

    def _key(self, key_id: object) -> jwt.PyJWK | None:
        if isinstance(key_id, str):
            return self.keys.get(key_id)
        # A provider with one key need not name it (OpenID Connect Core 1.0, section 10.1).
        return next(iter(self.keys.values())) if key_id is None and len(self.keys) == 1 else None

    @property
    def _pause_seconds(self) -> float:
        return min(FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures, 16), MAX_PAUSE_SECONDS)


def header_of(token: str) -> Mapping[str, Any] | None:
    """Return what a token says of its signature, None where it is no signed token."""
    if len(token) > MAX_TOKEN_CHARS or token.count(".") != 2:
        return None
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return header


def issuer_of(token: str) -> object:
    """Return who a token says it is of, unverified; None where it is no token."""
    if header_of(token) is None:
        return None
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None


def _fits(key: jwt.PyJWK, algorithm: str) -> bool:
    """Whether a key is of the kind of an algorithm: what the token says of itself chooses among these only."""
    if algorithm not in ALGORITHMS:
        return False
    named = key._jwk_data.get("alg")
    return algorithm.startswith(OF_KEY_TYPE.get(str(key.key_type), ())) and named in (None, algorithm)


def _parse(document: object) -> Mapping[str, jwt.PyJWK]:
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError("no list of keys")
    found: dict[str, jwt.PyJWK] = {}
    for number, entry in enumerate(listed):
        if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig" or entry.get("kty") not in OF_KEY_TYPE:
            continue
        try:
            key = jwt.PyJWK(dict(entry))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
            # A key of a kind that is not known here: others may be.
            continue
        # One without a name keeps its place, under a name that no token can have.
        found[str(entry.get("kid", f"\n{number}"))] = key
    if not found:
        raise ValueError("no key that is known here")
    return found

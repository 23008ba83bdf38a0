"""One sign-in, from the first redirect to the answer: authorization code with PKCE, state and nonce.

Pure (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9207). What has to be remembered meanwhile is a signed cookie
in the browser that began it: nothing is kept for strangers here, and the answer may reach another process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

AUDIENCE = "sidewitness sign-in"
MINUTES = 10
RANDOM_BYTES = 32
MAX_PATH = 512


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is remembered of a sign-in until its answer; `back` is the path to return to, below our root."""

    state: str
    nonce: str
    verifier: str
    back: str

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier (S256, RFC 7636, 4.2)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


def begun(back: str) -> Attempt:
    """Return a new attempt."""
    state, nonce, verifier = (secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3))
    return Attempt(state, nonce, verifier, back)


def remembered(attempt: Attempt, now: int) -> dict[str, Any]:
    """Return the claims of the cookie."""
    return {"aud": AUDIENCE, "exp": now + MINUTES * 60, **asdict(attempt)}


def recalled(claims: Mapping[str, Any] | None, now: float) -> Attempt | None:
    """Return the attempt of a verified cookie; None where it is none, or too old."""
    if claims is None or claims.get("aud") != AUDIENCE:
        return None
    expires = claims.get("exp")
    values = [claims.get(name) for name in ("state", "nonce", "verifier", "back")]
    if not isinstance(expires, int) or now >= expires or not all(isinstance(value, str) for value in values):
        return None
    return Attempt(*map(str, values))


def address_to_ask(endpoint: str, attempt: Attempt, client_id: str, redirect_uri: str, scopes: tuple[str, ...]) -> str:
    """Return where the browser is sent."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    return endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked)


def is_answer_to(attempt: Attempt, state: str, issuer: str | None, expected_issuer: str) -> bool:
    """Whether an answer is to this attempt, and of the provider that was asked (RFC 9207) where it says so."""
    return hmac.compare_digest(_bytes(state), _bytes(attempt.state)) and issuer in (None, expected_issuer)


def is_own_path(path: str) -> bool:
    """Whether a path leads back into these pages and nowhere else."""
    if not 0 < len(path) <= MAX_PATH or not all("!" <= char <= "~" for char in path):
        return False
    return path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""WHEP (draft-ietf-wish-whep) as its player sees it: what an answer of the server means. Pure.

Errors are told apart by their class only: the draft forbids to match an error code to one cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

SDP = "application/sdp"
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2048
# Where nothing is published yet and the server does not say when to ask again.
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Answered:
    """Our offer is answered; `session` is the URL that ends it."""

    session: str


@dataclass(frozen=True, slots=True)
class CounterOffer:
    """The server makes an offer of its own; it is answered by PATCH at `session`."""

    session: str


@dataclass(frozen=True, slots=True)
class Redirected:
    """The same is to be asked at `url`."""

    url: str


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is published yet; `seconds` is when to ask again at first."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """There is nothing to be had; `why` is a line that says what to do, `seconds` when to ask again at the earliest."""

    why: str
    seconds: float | None = None


Reply = Answered | CounterOffer | Redirected | Later | Refused


def read_reply(url: str, status: int, headers: Mapping[str, str], redirects: int = 0) -> Reply:
    """Read the answer to a POST of an offer at `url`; the names of `headers` are in lower case. Raises nothing."""
    if status == 201:
        return _session(url, headers, Answered, "has answered without saying where the session is")
    if status == 406:
        return _session(url, headers, CounterOffer, "takes no offer of ours and makes none")
    if status in (307, 308):
        target = resolve(url, headers.get("location"))
        if target is None or redirects >= MAX_REDIRECTS:
            return Refused("the server redirects to nowhere, or in circles: correct the url")
        return Redirected(target)
    seconds = retry_after_seconds(headers.get("retry-after"))
    if status == 409:
        return Later(FIRST_WAIT_SECONDS if seconds is None else max(seconds, 0.1))
    if 300 <= status < 400:
        return Refused(f"the server redirects as a POST must not be ({status}): set the url that it leads to")
    if 400 <= status < 500:
        return Refused(f"the server refuses to play ({status}): check the url and the token", seconds)
    return Refused(f"the server cannot play now ({status}): see its log", seconds)


def _session(url: str, headers: Mapping[str, str], kind: type[Answered | CounterOffer], complaint: str) -> Reply:
    session = resolve(url, headers.get("location"))
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if session is None or media_type != SDP:
        return Refused(f"the server {complaint}: check that the url is a WHEP endpoint")
    return kind(session)


def resolve(url: str, location: str | None) -> str | None:
    """Return where `Location` leads; None where it is none, or is less protected than `url` is."""
    if location is None or not 0 < len(location) <= MAX_URL_LENGTH or not location.isprintable():
        return None
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return target if known and not (url.startswith("https:") and parts.scheme != "https") else None


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL that `resolve` has given: a token is for one origin only (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header; None where there is none, or a date (RFC 9110 section 10.2.3)."""
    text = (value or "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    return min(float(text), LONGEST_ASKED_SECONDS)


def wait_seconds(attempt: int, first: float, longest: float = LONGEST_WAIT_SECONDS) -> float:
    """Return the pause before the next attempt: `first` after the first (0), then doubled, up to `longest`."""
    return max(first, min(first * 2.0 ** min(attempt, 20), longest))

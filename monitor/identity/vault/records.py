"""What the vault reports of identities: plain frozen values without a template in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitor.identity.vault.consent import Consent
from monitor.identity.vault.errors import VaultError

MAX_NAME_CHARS = 128
MAX_TAGS = 16
TAG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
# A telephone number as people write it, or a link; neither can be anything else in a page or a message.
VERIFY_BY = re.compile(r"\+?[0-9][0-9 ()/.\-]{3,38}[0-9]|https://[!#-&(-;=?-\[\]-~]{1,240}")

# Of an identity. An erased one is not listed: its receipt is.
IdentityState = Literal["active", "pending_approval", "expired"]
# Of one enrolment. Only `pending_approval` and `active` still hold a template.
VersionState = Literal["pending_approval", "active", "superseded", "rejected", "expired"]
LIVE_STATES: tuple[VersionState, ...] = ("pending_approval", "active")


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolment: `id` is the identity's random number, `version` counts its enrolments from 1."""

    id: str
    version: int
    state: VersionState


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One enrolment; `bytes` is the size of the template, 0 once that is destroyed. Times are RFC 3339.

    `tags` are what the person is grouped by, `verify_by` how they are reached to ask whether it is they.
    """

    version: int
    state: VersionState
    enrolled: str
    enrolled_by: str
    approved: str | None
    approved_by: str | None
    consent: Consent
    bytes: int
    tags: tuple[str, ...] = ()
    verify_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; how they are reached is personal, and only said to be known or not."""
        return {
            **asdict(self),
            "consent": self.consent.as_json(),
            "tags": list(self.tags),
            "verify_by": self.verify_by is not None,
        }


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """An identity as it stands.

    `version` is the enrolment that calls are compared with (where there is none, the newest), `pending` one that waits
    for approval, or None.
    """

    id: str
    name: str
    state: IdentityState
    version: VersionInfo
    pending: int | None
    versions: int

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "version": self.version.as_json()}


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an identity was erased: without its name, which the vault no longer knows.

    `cause` is `asked` or `consent_expired`; `destroyed` counts the templates whose data keys were destroyed now;
    `audit` is the line of the audit log and `audit_hash` what it hashes to. `cleaned` is False while another process
    keeps the database from giving up the freed bytes; the next sweep tries again.
    """

    id: str
    identity: str
    erased: str
    erased_by: str
    cause: str
    versions: int
    destroyed: int
    audit: int
    audit_hash: str
    cleaned: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of an enrolled person beside the template; `verify_by` is a number to call, or a link."""

    tags: tuple[str, ...] = ()
    verify_by: str | None = None

    def checked(self) -> Details:
        """Return these details if they may be kept; raises `VaultError`."""
        if len(self.tags) > MAX_TAGS or not all(TAG.fullmatch(tag) for tag in self.tags):
            raise VaultError(f"tags: up to {MAX_TAGS}, of lower-case letters, digits, `_ . -` each")
        if self.verify_by is not None and not VERIFY_BY.fullmatch(self.verify_by):
            raise VaultError("how to verify must be a number such as +49 30 1234567 or an https:// link")
        return Details(tuple(dict.fromkeys(self.tags)), self.verify_by)

    def after(self, before: Details) -> Details:
        """Return these details, with what they leave out as it was before."""
        return Details(self.tags or before.tags, self.verify_by or before.verify_by)

    @classmethod
    def given(cls, raw: object) -> Details:
        """Return details as somebody writes them in JSON, if they may be kept; raises `VaultError`."""
        named = raw if isinstance(raw, dict) and raw.keys() <= {"tags", "verify_by"} else {"tags": None}
        tags, verify_by = named.get("tags", []), named.get("verify_by")
        if not isinstance(tags, list) or not all(isinstance(one, str) for one in tags):
            raise VaultError('the details must be a JSON object with "tags", a list of texts, and "verify_by", a text')
        if not isinstance(verify_by, str | None):
            raise VaultError("how to verify must be a text: a number, or an https:// link")
        return cls(tuple(tags), verify_by).checked()

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, to be sealed."""
        return {"tags": list(self.tags), "verify_by": self.verify_by}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Details:
        """Return the details of a record; none in those of versions that knew of none."""
        return cls(tuple(written.get("tags", ())), written.get("verify_by"))


NO_DETAILS = Details()


def check_name(kind: str, name: str) -> str:
    """Return `name` if it may name an identity or an actor, unchanged; raises `VaultError`."""
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise VaultError(f"the {kind} must be 1 to {MAX_NAME_CHARS} printable characters without spaces around them")
    return name


def is_same_actor(actor: str, other: str) -> bool:
    """Whether two actors are written the same way, but for case and forms of the same letters."""
    return unicodedata.normalize("NFKC", actor).casefold() == unicodedata.normalize("NFKC", other).casefold()

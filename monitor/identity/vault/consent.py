"""The consent under which a person is enrolled: who gave it, when, for what, until when. Pure but for reading files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from engines.documents import DocumentError, parse_yaml
from engines.errors import SidewitnessError

PURPOSE = "protection against impersonation in calls"
FIELDS = ("by", "given", "expires", "purpose", "evidence", "evidence_sha256")
MAX_TEXT_CHARS = 512
MAX_FILE_BYTES = 65536
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
NOT_RECORDED = "not recorded"


# Where a day begins first: Kiribati's Line Islands, UTC+14 (IANA time zone database, Pacific/Kiritimati).
EARLIEST_ZONE = timedelta(hours=14)


class ConsentError(SidewitnessError):
    """There is no consent that can be used; the message is one line that says what to do and repeats no value."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Consent:
    """Who consented and to what; it holds through the day of `expires`, UTC.

    `evidence_sha256` is the hash of the signed paper or recording, which is kept elsewhere.
    """

    by: str
    given: date
    expires: date | None
    purpose: str
    evidence_sha256: str | None

    def holds(self, today: date) -> bool:
        """Whether it has not expired."""
        return self.expires is None or today <= self.expires

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, dates as `2026-03-01`."""
        return {
            "by": self.by,
            "given": self.given.isoformat(),
            "expires": self.expires.isoformat() if self.expires else None,
            "purpose": self.purpose,
            "evidence_sha256": self.evidence_sha256,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Consent:
        """Read what `as_json` gave, or a person wrote; raises `ConsentError`."""
        unknown = sorted(str(key) for key in raw if key not in FIELDS)
        if unknown:
            raise ConsentError(f"the consent has a field that is none of {', '.join(FIELDS)}: remove it")
        given = _parse_day(raw, "given")
        if given is None:
            raise ConsentError("the consent does not say when it was given: add `given: YYYY-MM-DD`")
        evidence = raw.get("evidence_sha256")
        if evidence is not None and not (isinstance(evidence, str) and SHA256_HEX.fullmatch(evidence)):
            raise ConsentError("the consent's evidence_sha256 must be 64 hexadecimal digits: run sha256sum on the file")
        return cls(
            _parse_text(raw, "by", None),
            given,
            _parse_day(raw, "expires"),
            _parse_text(raw, "purpose", PURPOSE),
            evidence,
        )


def read_consent(path: Path) -> Consent:
    """Read a consent from a YAML or JSON file; raises `ConsentError`.

    Fields: `by` and `given` (a day) are needed; `expires` (a day), `purpose`, and `evidence` (a file beside this one,
    which is hashed) or `evidence_sha256` may be there.
    """
    data = _read_bounded(path)
    try:
        raw = parse_yaml(data)
    except DocumentError:
        raise ConsentError(f"{path} is not a valid consent: write YAML or JSON with real dates") from None
    if not isinstance(raw, dict):
        raise ConsentError(f"{path} holds no consent: write `by: WHO` and `given: YYYY-MM-DD`")
    evidence = raw.pop("evidence", None)
    if evidence is not None:
        if "evidence_sha256" in raw or not isinstance(evidence, str):
            raise ConsentError("the consent's evidence is given twice or is no file name: keep one")
        raw["evidence_sha256"] = _sha256(path.parent / evidence)
    return Consent.from_json(raw)


def resolve(file: Path | None, by: str | None, *, required: bool, days: int, now: datetime) -> Consent:
    """Return the consent that an enrolment goes by; raises `ConsentError`.

    `now` has a time zone. From `file`, else given today by `by`, else (only where it is not `required`) a note that
    none was recorded. One that names no end ends `days` after it was given, so that nothing is kept for ever because
    nobody thought of it.
    """
    today = now.astimezone(UTC).date()
    if file is not None and by is not None:
        raise ConsentError("two consents were given: use --consent or --consent-by, not both")
    if file is not None:
        consent = read_consent(file)
    elif by is not None:
        consent = Consent.from_json({"by": by, "given": today})
    elif required:
        raise ConsentError("nobody is enrolled without consent: use --consent FILE or --consent-by WHO")
    else:
        consent = Consent(NOT_RECORDED, today, None, NOT_RECORDED, None)
    return checked(consent, days=days, now=now)


def checked(consent: Consent, *, days: int, now: datetime) -> Consent:
    """Return the consent with an end; raises `ConsentError` for one from the future, or that has ended.

    A day has no time zone, `now` does: a day that has begun anywhere is not in the future. Whether it has ended goes by
    UTC, as `Consent.holds` does.
    """
    if consent.given > (now.astimezone(UTC) + EARLIEST_ZONE).date():
        raise ConsentError("the consent is dated in the future: correct `given`")
    if consent.expires is None:
        consent = Consent(
            consent.by,
            consent.given,
            consent.given + timedelta(days=days),
            consent.purpose,
            consent.evidence_sha256,
        )
    if not consent.holds(now.astimezone(UTC).date()):
        raise ConsentError("the consent has expired: obtain a new one")
    return consent


def _read_bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConsentError(f"{path} cannot be read ({error.strerror}): name a readable consent file") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConsentError(f"{path} is larger than {MAX_FILE_BYTES} bytes: a consent is a few lines of YAML or JSON")
    return data


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConsentError(f"the consent's evidence cannot be read ({error.strerror}): correct its path") from None
    except ValueError:
        # A null character.
        raise ConsentError("the consent's evidence is no file name: correct its path") from None


def _parse_text(raw: Mapping[str, Any], field: str, default: str | None) -> str:
    value = raw.get(field, default)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_TEXT_CHARS or not value.isprintable():
        raise ConsentError(f"the consent's `{field}` must be 1 to {MAX_TEXT_CHARS} printable characters")
    return value.strip()


def _parse_day(raw: Mapping[str, Any], field: str) -> date | None:
    value = raw.get(field)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise ConsentError(f"the consent's `{field}` must be a day such as 2026-03-01") from None
    if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
        raise ConsentError(f"the consent's `{field}` must be a day such as 2026-03-01")
    return value

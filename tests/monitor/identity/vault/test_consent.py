from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from monitor.identity.vault.consent import (
    MAX_FILE_BYTES,
    PURPOSE,
    Consent,
    ConsentError,
    checked,
    read_consent,
    resolve,
)

TODAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
GOOD = "by: Jane Doe\ngiven: 2026-02-01\nexpires: 2027-02-01\npurpose: calls of the board\n"


def written(folder: Path, text: str, name: str = "consent.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConsentError) as caught:
        read_consent(path)
    text = str(caught.value)
    assert "\n" not in text
    assert "Jane" not in text
    return text


def test_read_from_yaml(tmp_path: Path) -> None:
    consent = read_consent(written(tmp_path, GOOD))
    assert consent == Consent("Jane Doe", date(2026, 2, 1), date(2027, 2, 1), "calls of the board", None)


def test_read_from_json_with_evidence(tmp_path: Path) -> None:
    (tmp_path / "signed.pdf").write_bytes(b"signed")
    text = json.dumps({"by": " Jane Doe ", "given": "2026-02-01", "evidence": "signed.pdf"})
    consent = read_consent(written(tmp_path, text, "consent.json"))
    assert consent == Consent("Jane Doe", date(2026, 2, 1), None, PURPOSE, hashlib.sha256(b"signed").hexdigest())


def test_json_and_back() -> None:
    for expires in (None, date(2027, 1, 1)):
        consent = Consent("Jane", date(2026, 1, 1), expires, "x", "0" * 64)
        assert Consent.from_json(json.loads(json.dumps(consent.as_json()))) == consent


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no consent"),
        ("- a\n", "holds no consent"),
        ("by: [", "not a valid consent"),
        ("by: Jane\ngiven: 2026-02-30\n", "not a valid consent"),
        ("by: Jane\ngiven: '2026-02-30'\n", "`given` must be a day"),
        ("by: Jane\ngiven: 2026-02-01 10:00:00\n", "`given` must be a day"),
        ("by: Jane\ngiven: 7\n", "`given` must be a day"),
        ("by: Jane\n", "when it was given"),
        ("given: 2026-02-01\n", "`by` must be"),
        ("by: '  '\ngiven: 2026-02-01\n", "`by` must be"),
        ("by: 7\ngiven: 2026-02-01\n", "`by` must be"),
        (f"by: {'J' * 600}\ngiven: 2026-02-01\n", "`by` must be"),
        ('by: "Jane\\nDoe"\ngiven: 2026-02-01\n', "`by` must be"),
        (GOOD + "until: 2030-01-01\n", "none of by, given"),
        (GOOD + "evidence_sha256: abc\n", "64 hexadecimal"),
        (GOOD + "evidence: absent.pdf\n", "evidence cannot be read"),
        (GOOD + 'evidence: "a\\0b"\n', "is no file name: correct its path"),
        (GOOD + "evidence: 7\n", "given twice or is no file name"),
        (GOOD + f"evidence: a\nevidence_sha256: {'0' * 64}\n", "given twice or is no file name"),
        ("x" * (MAX_FILE_BYTES + 1), "larger than"),
    ],
)
def test_refusals_say_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "absent.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "not a valid consent" in refusal(tmp_path / "binary")


def test_it_holds_through_its_last_day() -> None:
    consent = Consent("Jane", date(2026, 1, 1), TODAY, "x", None)
    assert consent.holds(TODAY)
    assert not consent.holds(date(2026, 3, 2))
    assert Consent("Jane", date(2026, 1, 1), None, "x", None).holds(date.max)


def test_what_names_no_end_gets_one() -> None:
    consent = checked(Consent("Jane", date(2026, 2, 1), None, "x", None), days=30, now=NOW)
    assert consent.expires == date(2026, 3, 3)


def test_from_the_future_and_ended_are_refused() -> None:
    with pytest.raises(ConsentError, match="future"):
        checked(Consent("Jane", date(2026, 3, 2), None, "x", None), days=30, now=NOW)
    with pytest.raises(ConsentError, match="has expired"):
        checked(Consent("Jane", date(2026, 1, 1), None, "x", None), days=30, now=NOW)


@pytest.mark.parametrize("hours", [14, 9, 0, -12])
def test_today_is_no_future_day_wherever_it_is_written(hours: int) -> None:
    """As in Tokyo at half past eight in the morning, when it is still yesterday in UTC."""
    morning = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=hours)))
    for now in (morning, morning.astimezone(UTC)):
        assert checked(Consent("Hanako", date(2026, 3, 1), None, "x", None), days=30, now=now).given == TODAY
        with pytest.raises(ConsentError, match="future"):
            checked(Consent("Hanako", date(2026, 3, 3), None, "x", None), days=30, now=now)


def test_the_earliest_zone_begins_a_day_ten_hours_after_noon_utc_before() -> None:
    consent = Consent("Teuea", date(2026, 3, 1), None, "x", None)
    first = datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert checked(consent, days=30, now=first) is not None
    with pytest.raises(ConsentError, match="future"):
        checked(consent, days=30, now=first - timedelta(seconds=1))


def test_resolve(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    assert resolve(file, None, required=True, days=30, now=NOW).expires == date(2027, 2, 1)
    assert resolve(None, "Jane", required=True, days=30, now=NOW).expires == date(2026, 3, 31)
    unrecorded = resolve(None, None, required=False, days=30, now=NOW)
    assert (unrecorded.by, unrecorded.given, unrecorded.expires) == ("not recorded", TODAY, date(2026, 3, 31))
    with pytest.raises(ConsentError, match="--consent FILE"):
        resolve(None, None, required=True, days=30, now=NOW)
    with pytest.raises(ConsentError, match="not both"):
        resolve(file, "Jane", required=True, days=30, now=NOW)

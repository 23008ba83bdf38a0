"""The signature of a report: any change of any byte is told, and so is a key that is not the one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.alerts.report import key as keys
from monitor.alerts.report.seal import MARK, MAX_REPORT_BYTES, Kind, SealError, fingerprint, opened, sealed
from monitor.config import ConfigError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PLACE = {"finding": "e--e", "seq": 3, "hash": "ab"}


@pytest.mark.parametrize("kind", ["html", "pdf"])
@pytest.mark.parametrize("content", [b"<p>report</p>\n", b"no newline", b"", b"a\nb\n"])
def test_what_was_signed_holds(kind: Kind, content: bytes) -> None:
    seal = opened(sealed(content, kind, PLACE, KEY))
    assert seal.content.rstrip(b"\n") == content.rstrip(b"\n")
    assert seal.place == PLACE
    assert seal.key == fingerprint(KEY.public_key().public_bytes_raw())


def test_no_comment_of_html_ends_early() -> None:
    line = sealed(b"x", "html", PLACE, KEY).splitlines()[-1]
    assert b"--" not in line.removeprefix(b"<!-- ").removesuffix(b" -->")


def test_every_flipped_byte_is_told() -> None:
    report = sealed(b"<p>it was her</p>\n", "html", PLACE, KEY)
    for at in range(len(report)):
        changed = bytearray(report)
        changed[at] ^= 1
        with pytest.raises(SealError):
            opened(bytes(changed))


def test_what_is_added_or_cut_off_is_told() -> None:
    report = sealed(b"<p>it was her</p>\n", "pdf", PLACE, KEY)
    for changed in (report + b"x", report + b"\n", b"x" + report, report[:-1], report[:-30], report + report, b""):
        with pytest.raises(SealError):
            opened(changed)


def said(**changed: object) -> bytes:
    line = {"place": PLACE, "key": "AA==", "signature": "AA==", **changed}
    return b"x\n<!-- " + MARK.encode() + json.dumps(line).encode() + b" -->\n"


@pytest.mark.parametrize(
    "report",
    [
        said(key=3),
        said(place=3),
        said(signature="?"),
        b"x\n<!-- " + MARK.encode() + b"[] -->\n",
        b"x\n<!-- " + MARK.encode() + b"{ -->\n",
        b"x\n<!-- " + MARK.encode() + b'{"key": ""} -->\n',
        bytes(MAX_REPORT_BYTES + 1),
    ],
)
def test_what_is_no_report_is_refused_in_a_line(report: bytes) -> None:
    with pytest.raises(SealError) as refused:
        opened(report)
    assert "\n" not in str(refused.value)


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    assert keys.load(tmp_path) is None
    made = keys.load_or_make(tmp_path)
    again = keys.load_or_make(tmp_path)
    assert made.private_bytes_raw() == again.private_bytes_raw()
    path = tmp_path / keys.FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [keys.FILE_NAME]
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        keys.load_or_make(tmp_path)


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / keys.FILE_NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no Ed25519 key"):
        keys.load(tmp_path)


def test_a_key_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    keys.load_or_make(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / keys.FILE_NAME).symlink_to(tmp_path / keys.FILE_NAME)
    with pytest.raises(ConfigError, match="cannot be read"):
        keys.load(tmp_path / "other")
    with pytest.raises(ConfigError, match="cannot be written"):
        keys.load_or_make(tmp_path / "absent")

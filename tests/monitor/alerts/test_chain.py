"""The chain of findings: what is changed or taken away behind the journal's back is told, and never served."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.alerts import chain
from monitor.alerts.chain import FIELDS, GENESIS, ChainHead
from monitor.alerts.disclosure import Disclosure
from monitor.alerts.journal import Entry, Head, Journal, JournalError, Tampered
from monitor.alerts.push import Subscriber
from monitor.alerts.sinks.base import Gap, item_message
from monitor.alerts.sinks.batch import next_batch
from monitor.cli import run
from monitor.config import Settings
from monitor.host.sidecar import assemble
from monitor.identity.vault.anchor import FileAnchor
from monitor.identity.vault.open import open_vault
from monitor.types import Claim
from tests.monitor.alerts.build import finding
from tests.monitor.rig import scripted


def sign(data: bytes) -> bytes:
    return hmac.digest(b"k" * 32, data, hashlib.sha256)


def open_journal(folder: Path, key: Callable[[bytes], bytes] | None = sign, most: int = 100_000) -> Journal:
    made = Journal(f"sqlite:///{folder / 'journal.sqlite'}", most, key, [FileAnchor(folder / "journal.anchor")])
    made.open()
    return made


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Journal]:
    made = open_journal(tmp_path)
    for name in "abcde":
        made.append(finding(name))
    yield made
    made.close()


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def served(journal: Journal, after: int = 0) -> list[int | str]:
    """What a sink is given: numbers of findings, and what is said in the place of others."""
    batch = next_batch(after, journal.head(), journal.read(after))
    return [item.seq if isinstance(item, Entry) else item_message(item)["type"] for item in batch.items]


def subscribed(journal: Journal, after: int = 0) -> list[str]:
    """The messages that a subscriber is sent."""
    made = Subscriber()
    made.receive(f'{{"type": "subscribe", "token": "", "after": {after}}}')
    made.admit(Disclosure.FULL)
    made.start(journal.head())
    for _page in range(5):
        if (cursor := made.replay_after) is not None:
            head = journal.head()
            made.replay(journal.read(cursor, 100), head)
    texts = []
    while (outgoing := made.take()) is not None:
        texts.append(outgoing.text)
    assert made.replay_after is None
    return texts[1:]


def test_what_was_appended_holds(opened: Journal) -> None:
    report = opened.verify()
    assert (report.rows, report.faults) == (5, ())
    assert served(opened) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("column", [*FIELDS, "previous", "hash", "signature"])
def test_a_changed_finding_is_told_and_refused(tmp_path: Path, opened: Journal, column: str) -> None:
    change(tmp_path, f"UPDATE findings SET {column} = 'x' WHERE seq = 3")
    with capture_logs() as said:
        assert served(opened) == [1, 2, "tampered", 4, 5]
        assert subscribed(opened)[2] == '{"type":"tampered","seq":3}'
    assert [(line["log_level"], line["seqs"]) for line in said] == [("error", [3])]
    assert "finding 3 was changed" in opened.verify().faults


def test_by_what_somebody_claims_to_be_whom_is_in_the_chain(tmp_path: Path, opened: Journal) -> None:
    told = replace(finding("f"), key=replace(finding().key, claim=Claim.DISPLAY_NAME))
    assert opened.append(told) == 6
    [kept] = opened.read(5)
    assert isinstance(kept, Entry)
    assert kept.finding.key.claim is Claim.DISPLAY_NAME
    assert subscribed(opened, 5)[0].count('"claim":"display_name"') == 1
    # Findings of versions that knew of none hash as they did; what is put in or taken away shows.
    change(
        tmp_path, "UPDATE findings SET claim = 'stated' WHERE seq = 3", "UPDATE findings SET claim = NULL WHERE seq = 6"
    )
    assert served(opened) == [1, 2, "tampered", 4, 5, "tampered"]


def test_whoever_does_not_hold_the_key_writes_no_finding(tmp_path: Path, opened: Journal) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        database.row_factory = sqlite3.Row
        row = {**dict(database.execute("SELECT * FROM findings WHERE seq = 3").fetchone()), "verdict": "bona_fide"}
        forged = chain.link(3, row, row["previous"], lambda data: hmac.digest(b"guess", data, hashlib.sha256))
        statement = "UPDATE findings SET verdict = 'bona_fide', hash = ?, signature = ? WHERE seq = 3"
        database.execute(statement, (forged.hash, forged.signature))
        database.commit()
    assert served(opened) == [1, 2, "tampered", 4, 5]
    assert opened.verify().faults == ("finding 3 was changed", "finding 4 does not follow from the one before")
    # Without the key only the hashes can be checked.
    without = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    assert without.verify().faults == ("finding 4 does not follow from the one before",)
    without.close()


@pytest.mark.parametrize(
    ("gone", "told", "fault"),
    [
        ("seq = 3", [1, 2, "gap", 4, 5], "finding 3 is missing"),
        ("seq < 3", ["gap", 3, 4, 5], "findings 1 to 2 are missing"),
        ("seq > 3", [1, 2, 3], "findings 4 to 5 are missing"),
        ("seq > 0", ["gap"], "findings 1 to 5 are missing"),
    ],
)
def test_findings_that_are_taken_away_are_told(
    tmp_path: Path, opened: Journal, gone: str, told: list[int | str], fault: str
) -> None:
    change(tmp_path, f"DELETE FROM findings WHERE {gone}")
    assert served(opened) == told
    assert fault in opened.verify().faults
    if gone == "seq > 3":
        assert served(opened, after=3) == ["gap"]
        assert subscribed(opened)[3:] == ['{"type":"gap","after":5}']
    assert opened.append(finding("next")) == 6


def test_a_row_under_another_number_is_no_finding(tmp_path: Path, opened: Journal) -> None:
    change(tmp_path, "UPDATE findings SET seq = 9 WHERE seq = 5")
    assert served(opened) == [1, 2, 3, 4, "gap", "tampered"]


def test_no_number_is_given_twice_by_a_journal_whose_end_is_cut_off(tmp_path: Path, opened: Journal) -> None:
    cut = ("DELETE FROM findings WHERE seq > 3", "UPDATE journal_head SET seq = 3")
    change(tmp_path, *cut)
    assert opened.append(finding("f")) == 6
    assert served(opened, after=3) == ["gap", 6]
    opened.close()
    # Nor by the next process: the newest number is noted outside the database.
    change(tmp_path, "DELETE FROM findings WHERE seq > 3", "UPDATE journal_head SET seq = 3")
    with capture_logs() as said:
        anew = open_journal(tmp_path)
    assert [(line["log_level"], line["why"]) for line in said] == [
        ("error", f"findings 4 to 6 are missing, by {tmp_path / 'journal.anchor'}")
    ]
    assert anew.append(finding("g")) == 7
    assert "findings 4 to 6 are missing" in anew.verify().faults
    anew.close()


def test_a_journal_that_was_exchanged_is_told(tmp_path: Path, opened: Journal) -> None:
    (tmp_path / "other").mkdir()
    other = open_journal(tmp_path / "other")
    for name in "vwxyz":
        other.append(finding(name))
    other.close()
    opened.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    shutil.copy(tmp_path / "other" / "journal.sqlite", tmp_path / "journal.sqlite")
    with capture_logs() as said:
        anew = open_journal(tmp_path)
    assert [line["why"] for line in said] == [f"finding 5 is another one than {tmp_path / 'journal.anchor'} says"]
    assert anew.verify().faults == (f"finding 5 is another one than {tmp_path / 'journal.anchor'} says",)
    anew.close()


def test_a_chain_that_was_taken_away_is_not_made_anew(tmp_path: Path, opened: Journal) -> None:
    opened.close()
    change(tmp_path, "UPDATE findings SET verdict = 'x', hash = NULL", "UPDATE journal_head SET hash = NULL")
    with pytest.raises(JournalError, match=r"has no chain, finding 5 is noted in .*journal\.anchor: restore") as caught:
        open_journal(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_was_pruned_leaves_a_chain_that_holds(tmp_path: Path) -> None:
    made = open_journal(tmp_path, most=20)
    for number in range(25):
        made.append(finding(str(number)))
    head = made.head()
    assert (head.seq, head.pruned) == (25, 3)
    assert made.verify().faults == ()
    change(tmp_path, "UPDATE journal_head SET pruned = 1")
    assert made.verify().faults == (
        "findings 2 to 3 are missing",
        "the head was not written by this sidecar",
    )
    made.close()


def test_a_note_that_cannot_be_made_undoes_nothing(tmp_path: Path, opened: Journal) -> None:
    (tmp_path / "journal.anchor").write_text("{")
    with capture_logs() as said:
        assert opened.append(finding("f")) == 6
    assert [line["event"] for line in said] == ["the head of the journal is not noted"]
    opened.close()
    with pytest.raises(JournalError, match="cannot be read as the head of a log"):
        open_journal(tmp_path)


def test_nobody_else_reads_any_file_of_the_journal(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = open_journal(tmp_path)
        made.append(finding())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("journal.*")}
        made.close()
    finally:
        os.umask(before)
    names = ("journal.anchor", "journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal")
    assert modes == dict.fromkeys(names, 0o600)


def test_the_sidecar_chains_its_findings_with_the_vaults_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(state_dir=tmp_path)
    with closing(open_vault(settings)) as vault:
        journal = assemble(settings, scripted(), vault).journal
        journal.open()
        journal.append(finding("a"))
        journal.append(finding("b"))
        journal.close()
    (tmp_path / "own.yaml").write_text(f"state_dir: {tmp_path}\n")
    audit = ["doctor", "--audit", "--config", str(tmp_path / "own.yaml")]
    assert run(audit) == 0
    assert "2 findings hold" in " ".join(capsys.readouterr().out.split())
    change(tmp_path, "UPDATE findings SET verdict = 'bona_fide' WHERE seq = 2")
    assert run(audit) == 1
    assert "finding 2 was changed" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "journal.sqlite").unlink()
    assert run(audit) == 0


ROW: dict[str, Any] = dict.fromkeys(FIELDS, "x") | {"step": 1, "identity": None}


def linked(count: int) -> tuple[list[tuple[int, dict[str, Any]]], ChainHead]:
    rows, previous = [], GENESIS
    for seq in range(1, count + 1):
        made = chain.link(seq, ROW, previous, sign)
        row = {**ROW, "previous": made.previous, "hash": made.hash, "signature": made.signature}
        rows.append((seq, row))
        previous = made.hash
    return rows, chain.sign_head(ChainHead(count, 0, previous), sign)


@given(
    st.integers(0, 4), st.sampled_from([*FIELDS, "previous", "hash", "signature"]), st.sampled_from(["", 7, b"", None])
)
def test_whatever_is_written_into_a_row_shows(at: int, field: str, value: object) -> None:
    rows, head = linked(5)
    seq, row = rows[at]
    if row[field] == value:
        return
    rows[at] = (seq, {**row, field: value})
    assert f"finding {seq} was changed" in chain.verify(rows, head, sign).faults


def test_a_head_of_another_chain_shows() -> None:
    rows, head = linked(3)
    assert chain.verify(rows, head, sign).faults == ()
    assert chain.verify(rows, head, None).faults == ()
    assert chain.verify(rows, replace(head, hash=GENESIS), None).faults == (
        "the head does not belong to the last finding",
    )
    assert chain.verify(rows[:2], replace(head, seq=2), None).faults == (
        "the head does not belong to the last finding",
    )
    assert chain.link(1, ROW, GENESIS, None).signature == b""
    assert not chain.is_intact(1, {**ROW, "identity": ""} | {k: rows[0][1][k] for k in ("previous", "hash")}, None)


def test_changed_findings_count_as_missed() -> None:
    batch = next_batch(0, Head(4, 0), [Tampered(1), Tampered(4)])
    assert (batch.missed, batch.findings, batch.cursor) == (4, 0, 4)
    assert batch.items == (Tampered(1), Gap(2, 3), Tampered(4))


def test_what_erased_rows_leave_is_believed_where_this_sidecar_erased_them() -> None:
    rows: list[dict[str, Any]] = []
    previous = GENESIS
    for seq in (1, 2, 3):
        row = dict.fromkeys(FIELDS, "x")
        link = chain.link(seq, row, previous, sign)
        rows.append({**row, "previous": link.previous, "hash": link.hash, "signature": link.signature})
        previous = link.hash
    head = chain.sign_head(ChainHead(3, 0, previous), sign)
    left = {name: rows[1][name] for name in ("previous", "hash", "signature")}
    at = "2026-06-01T00:00:00.000Z"
    mark = chain.erase_mark(2, chain.Link(**left), at, sign)
    erased = {**left, "erased": at, "mark": mark}

    def faults(row: dict[str, Any], by: chain.Sign | None = sign) -> tuple[str, ...]:
        return chain.verify([(1, rows[0]), (2, row), (3, rows[2])], head, by).faults

    assert faults(erased) == ()
    taken = ("finding 2 was taken away, and not erased by this sidecar",)
    for wrong in (
        {"mark": b""}, {"mark": "text"}, {"mark": None}, {"erased": "later"}, {"signature": b"other"},
        {"mark": chain.erase_mark(2, chain.Link(**left), at, None)}, {"mark": sign(b"anything")},
        {"mark": chain.erase_mark(3, chain.Link(**left), at, sign)},
    ):  # fmt: skip
        assert faults({**erased, **wrong}) == taken, wrong
    # Without a key a mark is a hash that anybody can make, as the chain is then.
    unsigned = {**left, "signature": None, "erased": at}
    unsigned["mark"] = chain.erase_mark(2, chain.Link(left["previous"], left["hash"], b""), at, None)
    assert faults(unsigned, None) == ()
    assert faults({**unsigned, "erased": 7}, None) == taken

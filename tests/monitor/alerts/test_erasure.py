"""What is erased is gone from database and files, the chains still verify, and the receipt says what had left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from monitor.alerts import erased
from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.alerts.casework.search import Query, find
from monitor.alerts.casework.store import Casework
from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.privacy import erasure
from monitor.alerts.privacy.erasure import Participant, Person, clean, digest_of, erase, remembered
from monitor.alerts.privacy.everything import erase_everything
from monitor.alerts.privacy.retention import of_erasures
from monitor.alerts.push import Subscriber
from monitor.alerts.sinks.base import Gap, RefusedError
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.alerts.sinks.delivery import Deliveries
from monitor.identity.vault.errors import NotEnrolled, VaultError
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.alerts.sinks.build import PATIENCE, MemorySink, named
from tests.monitor.api.people import vault_in

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CARA = ParticipantKey("board", "cara-of-the-board", "Cara Doe")
BOB = ParticipantKey("board", "bob-of-the-board", "Bob Doe")


def sign(data: bytes) -> bytes:
    return b"signed" + data[-32:]


@dataclass
class Desk:
    """A journal and its cases, with whom findings are about."""

    folder: Path
    journal: Journal
    casework: Casework

    def found(self, key: ParticipantKey, episode: str, steps: int = 2) -> list[int]:
        made = [replace(finding(episode, step), key=key) for step in range(steps)]
        return [self.journal.append(one) for one in made]

    def noted(self, episode: str, text: str = "called cara-of-the-board back") -> None:
        self.casework.append(NewEvent(episode, EventKind.NOTED, "ann", {"text": text}))
        self.casework.append(NewEvent(episode, EventKind.LABELLED, "ann", {"label": "false"}))

    def erase(self, whom: Person | Participant) -> Any:
        made = erase(whom, "ops", self.journal, self.casework, None, lambda: NOW)
        assert made is not None
        return made

    def faults(self) -> tuple[str, ...]:
        return (*self.journal.verify().faults, *self.casework.verify().faults)

    def numbers(self) -> list[int]:
        return [row.seq for row in self.journal.read(0)]

    def bytes(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.glob("journal.sqlite*"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ready_journal(tmp_path).close()
    journal = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}", 100, sign)
    journal.open()
    yield Desk(tmp_path, journal, Casework(journal, sign))
    journal.close()


def test_a_participants_findings_go_whole_and_nobody_elses(desk: Desk) -> None:
    first, other = desk.found(CARA, "c"), desk.found(BOB, "b")
    elsewhere = desk.found(replace(CARA, call="another"), "e")
    # Of one episode the identity was not claimed at first: it goes with all its changes.
    renamed = desk.found(replace(CARA, identity=None), "r", 1)
    desk.noted("c")
    desk.noted("b", "about nobody")
    made = desk.erase(Participant("board", "cara-of-the-board"))
    assert (set(made.findings), made.changes) == ({"c", "r"}, (*first, *renamed))
    assert (made.events, made.labels, made.cause, made.erased_by, made.cleaned) == (2, 1, "participant", "ops", True)
    assert desk.numbers() == [*other, *elsewhere]
    assert (desk.casework.of("c").events, desk.casework.of("c").changed) == ((), ())
    assert set(desk.casework.labelled()) == {"b"}
    assert desk.journal.changes("c") == []
    assert desk.faults() == ()
    assert erase(Participant("board", "cara-of-the-board"), "ops", desk.journal, desk.casework, None) is None
    # Numbers go on, and so do the chains, over a restart too.
    assert desk.journal.append(replace(finding("next"), key=BOB)) == 8
    desk.noted("next")
    again = Journal(f"sqlite:///{desk.folder / 'journal.sqlite'}", 100, sign)
    again.open()
    assert again.verify().faults == ()
    again.close()


def test_a_person_goes_under_every_name_of_theirs_and_nothing_is_left_in_the_files(desk: Desk) -> None:
    desk.found(CARA, "c")
    desk.found(ParticipantKey("board", "Cara Doe"), "p")
    kept = desk.found(BOB, "b")
    desk.noted("c")
    assert b"cara-of-the-board" in desk.bytes()
    made = desk.erase(Person("Cara Doe"))
    assert set(made.findings) == {"c", "p"}
    assert desk.numbers() == kept
    left = desk.bytes()
    assert b"Bob Doe" in left
    # Neither the names nor what was written of them, nor the ids, by which a hash could be tried.
    assert not [word for word in (b"cara", b"Cara", b"called", b'"c"') if word in left]
    assert desk.faults() == ()


def test_a_person_is_erased_with_what_is_enrolled_of_them(desk: Desk) -> None:
    vault = vault_in(desk.folder)
    journal = Journal(f"sqlite:///{desk.folder / 'journal.sqlite'}", 100, vault.sign_finding)
    with pytest.raises(NotEnrolled):
        erase_everything("Cara Doe", "ops", journal, Casework(journal, vault.sign_finding), vault)
    journal.append(replace(finding("c"), key=CARA))
    made = erase_everything("Cara Doe", "ops", journal, Casework(journal, vault.sign_finding), vault)
    assert (made["enrolment"], made["findings"]["findings"]) == (None, ["c"])
    assert "Cara" not in json.dumps(made)
    assert journal.verify().faults == ()
    vault.close()
    journal.close()


def test_every_erasure_of_findings_has_a_line_in_the_audit_log_that_names_nobody(desk: Desk) -> None:
    vault = vault_in(desk.folder)
    desk.found(CARA, "c")
    desk.found(BOB, "b", 1)
    desk.noted("c")
    made = [
        erase(whom, "ops", desk.journal, desk.casework, vault)
        for whom in (Participant(BOB.call, BOB.participant), Person("Cara Doe"), Person("Cara Doe"))
    ]
    # Of the third there was nothing left.
    assert made[2] is None
    lines = vault.audit(1)
    assert [(line.action, line.identity, line.actor) for line in lines] == [("findings_erased", "", "ops")] * 2
    for line, receipt, counts in zip(lines, made, [("participant", 1, 1, 0), ("person", 1, 2, 2)], strict=False):
        assert receipt is not None
        said = json.loads(line.detail)
        assert (said["cause"], said["findings"], said["changes"], said["events"]) == counts
        assert (said["receipt"], said["sha256"], said["letters"]) == (receipt.id, digest_of(receipt.as_json()), 0)
        assert not [word for word in ("cara", "Cara", "bob", "Bob", "board", '"c"', '"b"') if word in line.detail]
    assert vault.verify_audit().broken is None
    vault.close()


def test_nothing_is_erased_of_which_no_line_can_be_written(desk: Desk) -> None:
    vault = vault_in(desk.folder)
    before = desk.found(CARA, "c")
    desk.noted("c")
    with pytest.raises(VaultError):
        erase(Person("Cara Doe"), " nobody", desk.journal, desk.casework, vault)
    with vault.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE vault_audit RENAME TO hidden")
    with pytest.raises(VaultError):
        erase(Person("Cara Doe"), "ops", desk.journal, desk.casework, vault)
    assert (desk.numbers(), len(desk.casework.of("c").events), remembered(desk.journal)) == (before, 2, [])
    assert desk.faults() == ()
    vault.close()


async def test_the_receipt_lists_what_sinks_hold_and_nothing_that_they_were_not_sent(desk: Desk) -> None:
    accepting, dead, away = MemorySink(), MemorySink(), MemorySink()
    dead.refusal, away.refusal = RefusedError("never"), OSError("away")
    told = {"kind": "finding", "drill": False, "notify": ["accepting"], "groups": [], "held": {}, "actions": []}
    quiet = {**told, "notify": []}
    before = [*desk.found(CARA, "c", 1)]
    desk.journal.append(replace(finding("quiet"), key=CARA, handling=quiet))
    before += [desk.journal.append(replace(finding("told"), key=CARA, handling=told))]
    sinks = [named(accepting, "accepting"), named(dead, "dead"), named(away, "away")]
    deliveries = Deliveries([replace(one, from_beginning=True) for one in sinks], desk.journal, CollectorRegistry())
    desk.casework.append(NewEvent("c", EventKind.TOLD, "policy", {"whom": "accepting", "sink": "accepting"}))
    await deliveries.start()
    await accepting.until(lambda: 3 in accepting.numbers)
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(DeadLetters(desk.journal).count, "dead") == 0:
            pass
        while await asyncio.to_thread(Cursors(desk.journal).read, "accepting") != 3:
            pass
    await away.until(lambda: away.attempts > 0)
    made = await asyncio.to_thread(desk.erase, Person("Cara Doe"))
    sent = [(one.sink, one.finding, one.seq, one.accepted) for one in made.sent]
    # The sink that does not answer may have been sent it all the same.
    assert sent == [
        ("accepting", "c", before[0], True),
        ("accepting", "told", before[1], True),
        ("away", "c", before[0], False),
    ]
    assert [one.told is not None for one in made.sent] == [True, False, False]
    assert made.dead_letters == 1
    assert DeadLetters(desk.journal).list("dead") == []
    # What waited for the sink that is away is sent to it no more: it is told of a gap.
    away.refusal = None
    await asyncio.to_thread(desk.found, BOB, "b", 1)
    deliveries.committed(4)
    await deliveries.close(10.0)
    assert [item.finding.id for item in away.items if isinstance(item, Entry)] == ["b"] or away.items == []
    assert not [item for item in away.items if isinstance(item, Entry) and item.finding.key == CARA]
    assert desk.faults() == ()


def test_a_sink_that_comes_back_later_is_told_of_a_gap(desk: Desk) -> None:
    desk.found(CARA, "c")
    desk.found(BOB, "b", 1)
    Cursors(desk.journal).begin("late", 0)
    desk.erase(Person("Cara Doe"))
    sink = MemorySink()

    async def deliver() -> None:
        deliveries = Deliveries([named(sink, "late")], desk.journal, CollectorRegistry())
        await deliveries.start()
        await sink.until(lambda: bool(sink.numbers))
        await deliveries.close()

    asyncio.run(deliver())
    assert sink.items[0] == Gap(1, 2)
    assert sink.numbers == [3]


def test_a_subscriber_who_resumes_is_told_of_a_gap(desk: Desk) -> None:
    desk.found(CARA, "c")
    desk.found(BOB, "b", 1)
    desk.erase(Person("Cara Doe"))
    subscriber = Subscriber()
    subscriber.receive(json.dumps({"type": "subscribe", "token": "t", "after": 0}))
    subscriber.admit(subscriber.disclosure)
    subscriber.start(desk.journal.head())
    subscriber.replay(desk.journal.read(0), desk.journal.head())
    messages = []
    while (outgoing := subscriber.take()) is not None:
        messages.append(json.loads(outgoing.text))
    assert [(one["type"], one.get("after", one.get("seq"))) for one in messages] == [
        ("hello", 3),
        ("gap", 2),
        ("finding", 3),
    ]


@pytest.mark.parametrize("table", ["findings", "case_events"])
def test_whoever_takes_a_row_away_cannot_pass_it_off_as_erased(desk: Desk, table: str) -> None:
    desk.found(CARA, "c")
    desk.noted("c")
    log = erased.FINDINGS if table == "findings" else erased.CASEWORK
    with desk.journal.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO erased_links SELECT ?, seq, previous, hash, signature, '2026-06-01T00:00:00.000Z', hash "
            f"FROM {table} WHERE seq = 1",
            (log,),
        )
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE seq = 1")
    [fault] = desk.faults()
    assert "1 was taken away, and not erased by this sidecar" in fault


def test_a_row_that_was_changed_stays_told_of_though_it_is_erased(desk: Desk) -> None:
    desk.found(CARA, "c")
    with desk.journal.transaction() as connection:
        connection.exec_driver_sql("UPDATE findings SET verdict = 'suspect' WHERE seq = 2")
    made = desk.erase(Participant(CARA.call, CARA.participant))
    assert made.changes == (1, 2)
    assert desk.faults() == ("finding 2 was taken away, and not erased by this sidecar",)


def test_erased_rows_are_pruned_in_their_turn(desk: Desk) -> None:
    desk.found(CARA, "c")
    desk.noted("c")
    desk.erase(Person("Cara Doe"))
    for number in range(3):
        desk.journal.append(replace(finding(f"n{number}"), key=BOB, time=NOW))
    assert desk.journal.forget_before(NOW) == 0
    assert desk.journal.head().pruned == 2
    assert desk.casework.forget_before(datetime(2100, 1, 1, tzinfo=UTC)) == 0
    assert desk.faults() == ()
    with desk.journal.transaction() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(erased.links)).scalar_one() == 0
    # Where the newest that goes is an erased one, the chain begins behind it.
    fresh = desk.found(CARA, "d", 1)
    assert fresh == [6]
    desk.erase(Person("Cara Doe"))
    assert desk.journal.forget_before(datetime(2100, 1, 1, tzinfo=UTC)) == 3
    assert (desk.journal.head().pruned, desk.faults()) == (6, ())
    assert desk.journal.append(replace(finding("last"), key=BOB)) == 7
    assert desk.faults() == ()


def test_many_go_as_one_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "CHUNK", 2)
    for number in range(5):
        desk.found(CARA, f"c{number}", 3)
        desk.noted(f"c{number}")
    kept = desk.found(BOB, "b")
    made = desk.erase(Person("Cara Doe"))
    assert (len(made.findings), len(made.changes), made.events, made.labels) == (5, 15, 10, 5)
    assert (desk.numbers(), desk.faults()) == (kept, ())


def test_what_is_remembered_of_an_erasure_names_nobody_and_recognises_its_receipt(desk: Desk) -> None:
    desk.found(CARA, "c")
    Cursors(desk.journal).begin("siem", 2)
    made = desk.erase(Person("Cara Doe"))
    [kept] = remembered(desk.journal)
    assert (kept["id"], kept["actor"], kept["cause"], kept["changes"], kept["sent"]) == (
        made.id, "ops", "person", 2, {"siem": 2},
    )  # fmt: skip
    assert kept["sha256"] == digest_of(json.loads(json.dumps(made.as_json())))
    assert kept["sha256"] != digest_of({**made.as_json(), "changes": [1]})
    assert "c" not in kept.values()


def test_what_another_process_held_up_goes_with_the_next_sweep(desk: Desk) -> None:
    desk.found(CARA, "c")
    other = Journal(f"sqlite:///{desk.folder / 'journal.sqlite'}", 100, sign)
    reading = other.engine.connect()
    reading.exec_driver_sql("BEGIN")
    reading.exec_driver_sql("SELECT * FROM findings").fetchall()
    with desk.journal.engine.connect() as connection:
        # So long it waits for the other one; the connection goes back to the pool.
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")
    made = desk.erase(Person("Cara Doe"))
    assert not made.cleaned
    sweep = of_erasures(desk.journal)
    with pytest.raises(Exception, match="another process"):
        sweep.run()
    reading.close()
    other.close()
    assert sweep.run() == 0
    assert clean(desk.journal)
    assert b"cara" not in desk.bytes()
    assert [one["cleaned"] for one in remembered(desk.journal)] == [True]


def test_the_search_leaves_out_drills_unless_they_are_asked_for(desk: Desk) -> None:
    handling = {"kind": "finding", "drill": True, "notify": None, "groups": [], "held": {}, "actions": []}
    named_so = {**handling, "drill": False, "groups": ['"drill":true']}
    desk.journal.append(replace(finding("drill"), handling=handling))
    desk.journal.append(replace(finding("real"), handling=named_so))
    desk.journal.append(finding("bare"))
    desk.casework.cases(())
    assert [one.id for one in find(desk.journal, Query(), 10)] == ["bare", "real"]
    assert [one.id for one in find(desk.journal, Query(drills=True), 10)] == ["bare", "real", "drill"]


def test_a_finding_is_its_fields(desk: Desk) -> None:
    """A field of `Finding` that is added later stands in the row, which goes whole."""
    made = Finding("x", 0, "opened", CARA, NOW, "alert", None, {}, {}, None, {"of": "cara-of-the-board"})
    desk.journal.append(made)
    desk.erase(Person("Cara Doe"))
    assert b"cara-of-the-board" not in desk.bytes()

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.disclosure import Disclosure
from monitor.alerts.journal import Entry, Head
from monitor.alerts.plain import encode
from monitor.alerts.push import CAPACITY_MESSAGES, MAX_MESSAGE_BYTES, PAGE_ENTRIES, Close, Hub, Phase, Subscriber
from monitor.alerts.wire import finding_message
from tests.monitor.alerts.build import finding

TOKEN = "the-right-token"


def subscribe(**fields: object) -> str:
    return json.dumps({"type": "subscribe", "token": TOKEN, **fields})


def subscriber(**fields: object) -> Subscriber:
    made = Subscriber()
    made.receive(subscribe(**fields))
    assert (made.phase, made.bearer) == (Phase.CHECKING, TOKEN)
    made.admit(Disclosure.FULL)
    return made


def drain(made: Subscriber) -> Iterator[dict[str, object]]:
    while (message := made.take()) is not None:
        yield json.loads(message.text)


def live(made: Subscriber, seq: int) -> None:
    made.finding(seq, encode(finding_message(seq, finding(str(seq)))), 1.0)


class Store:
    """What a journal holds: numbers above `pruned` up to `seq`."""

    def __init__(self, seq: int = 0, pruned: int = 0) -> None:
        self.seq, self.pruned = seq, pruned

    @property
    def head(self) -> Head:
        return Head(self.seq, self.pruned)

    def page(self, after: int) -> list[Entry]:
        first = max(after, self.pruned) + 1
        return [Entry(n, finding(str(n))) for n in range(first, self.seq + 1)][:PAGE_ENTRIES]

    def feed(self, made: Subscriber) -> None:
        while (after := made.replay_after) is not None:
            made.replay(self.page(after), self.head)


@pytest.mark.parametrize("first", ['{"type": "subscribe"}', subscribe(token=None), subscribe(token="")])
def test_whether_somebody_without_a_token_may_subscribe_is_for_the_shell_to_say(first: str) -> None:
    made = Subscriber()
    made.receive(first)
    assert (made.phase, made.bearer, made.close) == (Phase.CHECKING, "", None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", Close.BAD_MESSAGE),
        ("{", Close.BAD_MESSAGE),
        ("[1]", Close.BAD_MESSAGE),
        ("[" * 4000, Close.BAD_MESSAGE),
        (b"{}", Close.BAD_MESSAGE),
        ('{"type": "hello"}', Close.BAD_MESSAGE),
        ('{"type": "ping"}', Close.BAD_MESSAGE),
        (subscribe(pad="x" * MAX_MESSAGE_BYTES), Close.BAD_MESSAGE),
        (subscribe(after=-1), Close.BAD_MESSAGE),
        (subscribe(after=2**63), Close.BAD_MESSAGE),
        (subscribe(after=True), Close.BAD_MESSAGE),
        (subscribe(after="3"), Close.BAD_MESSAGE),
        (subscribe(states=1), Close.BAD_MESSAGE),
        (subscribe(token=["a"]), Close.BAD_TOKEN),
        (subscribe(token=7, after="x"), Close.BAD_TOKEN),
    ],
)
def test_bad_first_message(data: str | bytes, why: Close) -> None:
    made = Subscriber()
    made.receive(data)
    assert (made.phase, made.close, made.take()) == (Phase.CLOSED, why, None)
    made.receive(subscribe())
    made.start(Head(0, 0))
    made.replay([], Head(0, 0))
    live(made, 1)
    assert (made.close, len(made)) == (why, 0)


def test_close_codes() -> None:
    assert {why.code for why in Close} == {4401, 4403, 1013, 4429, 4400, 4008}
    assert all(why.reason for why in Close)


def test_nothing_is_told_before_the_token_is_found_good() -> None:
    made, hub = Subscriber(), Hub()
    hub.join(made)
    made.receive(subscribe(states=True))
    made.start(Head(0, 0))
    hub.finding(Entry(1, finding()))
    hub.state({"type": "state"})
    hub.notice({"type": "unmonitored"})
    assert (made.phase, made.take()) == (Phase.CHECKING, None)
    made.end(Close.FORBIDDEN)
    made.end(Close.BAD_TOKEN)
    made.admit(Disclosure.FULL)
    assert (made.phase, made.close) == (Phase.CLOSED, Close.FORBIDDEN)


def test_the_shell_may_close_once_and_what_waits_is_dropped() -> None:
    made = subscriber()
    made.start(Head(3, 0))
    assert len(made) == 1
    made.end(Close.FULL)
    made.end(Close.CROWDED)
    assert (made.phase, made.close, len(made)) == (Phase.CLOSED, Close.FULL, 0)


def test_who_may_see_verdicts_is_told_no_scores_live_or_replayed() -> None:
    hub, seen = Hub(), []
    state = {"type": "state", "verdict": "alert", "scores": {"synchrony": {}}, "statistic": 2.0, "threshold": 1.0}
    for disclosure in Disclosure:
        made, store = Subscriber(), Store(1)
        hub.join(made)
        made.receive(subscribe(after=0, states=True))
        made.admit(disclosure)
        made.start(store.head)
        store.feed(made)
        seen.append(made)
    hub.finding(Entry(2, finding()))
    hub.state(state)
    full, less = ([m for m in drain(made) if m["type"] != "hello"] for made in seen)
    assert [m["seq"] for m in full[:2]] == [1, 2]
    assert all(m["scores"] and m["evidence"] for m in full[:2])
    assert full[2] == state
    assert [(m["scores"], m["evidence"], m["verdict"], m["seq"]) for m in less[:2]] == [
        ({}, {}, "alert", 1),
        ({}, {}, "alert", 2),
    ]
    assert less[2] == {"type": "state", "verdict": "alert", "scores": {}, "statistic": None, "threshold": None}


def test_deadline_counts_only_before_the_subscription() -> None:
    silent = Subscriber()
    silent.deadline()
    assert silent.close is Close.BAD_TOKEN
    made = subscriber()
    made.deadline()
    assert made.close is None


def test_second_message_is_an_error() -> None:
    made = subscriber()
    made.receive(subscribe())
    assert made.close is Close.BAD_MESSAGE


def test_a_ping_is_answered_in_every_phase_but_never_before_the_greeting() -> None:
    made, store = subscriber(after=0), Store(3)
    made.receive('{"type": "ping"}')
    made.start(store.head)
    made.receive('{"type": "ping"}')
    store.feed(made)
    made.receive('{"type": "ping", "of": "a later version"}')
    assert [m["type"] for m in drain(made)] == ["hello", "pong", "pong", "finding", "finding", "finding", "pong"]
    assert made.phase is Phase.LIVE


def test_pings_wait_like_everything_else() -> None:
    made = subscriber()
    made.start(Head(0, 0))
    Store().feed(made)
    for _ in range(CAPACITY_MESSAGES + 1):
        made.receive('{"type": "ping"}')
    assert made.close is Close.TOO_SLOW


def test_without_cursor_only_what_is_new() -> None:
    made, store = subscriber(), Store(5)
    made.start(store.head)
    store.feed(made)
    live(made, 6)
    made.state('{"type":"state"}')
    assert [(m["type"], m.get("seq")) for m in drain(made)] == [("hello", 5), ("finding", 6)]


def test_states_for_those_who_ask() -> None:
    made = subscriber(states=True)
    made.state('{"type":"state"}')
    made.start(Head(0, 0))
    made.state('{"type":"state"}')
    assert [m["type"] for m in drain(made)] == ["hello", "state"]


def test_resume_is_paged_and_meets_live_without_a_seam() -> None:
    made, store = subscriber(after=2), Store(200)
    made.start(store.head)
    store.seq = 201
    live(made, 201)
    seen: list[object] = []
    while made.phase is not Phase.LIVE or len(made):
        store.feed(made)
        assert len(made) <= 2 * PAGE_ENTRIES + 1
        seen += [m["seq"] for m in drain(made) if m["type"] == "finding"]
    live(made, 201)
    live(made, 202)
    assert seen + [m["seq"] for m in drain(made)] == list(range(3, 203))


def test_another_writers_finding_is_fetched_from_the_journal() -> None:
    made, store = subscriber(), Store()
    made.start(store.head)
    store.seq = 3
    live(made, 3)
    assert made.replay_after == 0
    store.feed(made)
    assert [m.get("seq") for m in drain(made)] == [0, 1, 2, 3]


@pytest.mark.parametrize(("after", "seq", "pruned"), [(2, 9, 5), (50, 9, 5), (1, 5, 5)])
def test_gap_for_a_cursor_that_is_pruned_or_unknown(after: int, seq: int, pruned: int) -> None:
    made, store = subscriber(after=after), Store(seq, pruned)
    made.start(store.head)
    store.feed(made)
    messages = list(drain(made))
    assert messages[:2] == [{"type": "hello", "seq": seq}, {"type": "gap", "after": pruned}]
    assert [m["seq"] for m in messages[2:]] == list(range(pruned + 1, seq + 1))


def test_pruned_while_replaying() -> None:
    made, store = subscriber(after=0), Store(10)
    made.start(store.head)
    made.replay(store.page(0)[:2], store.head)
    store.pruned = 5
    store.feed(made)
    assert [m.get("seq", m.get("after")) for m in drain(made)] == [10, 1, 2, 5, 6, 7, 8, 9, 10]


def test_everything_pruned_while_replaying() -> None:
    made, store = subscriber(after=0), Store(10)
    made.start(store.head)
    store.pruned = 10
    store.feed(made)
    assert list(drain(made))[1:] == [{"type": "gap", "after": 10}]
    assert made.phase is Phase.LIVE


def test_start_belongs_to_the_subscription() -> None:
    made = Subscriber()
    made.start(Head(3, 0))
    assert (made.phase, made.replay_after, len(made)) == (Phase.AWAITING, None, 0)


def test_page_read_before_a_hand_over_is_harmless() -> None:
    made, store = subscriber(after=0), Store(2)
    made.start(store.head)
    stale = store.page(0)
    store.feed(made)
    store.seq = 4
    live(made, 4)
    made.replay(stale, Head(2, 0))
    store.feed(made)
    assert [m["seq"] for m in drain(made)] == [2, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["finding", "state"])
def test_too_slow_at_the_257th_waiting_message(kind: str) -> None:
    made = subscriber(states=True)
    made.start(Head(0, 0))
    assert made.take() is not None
    for n in range(1, CAPACITY_MESSAGES + 1):
        live(made, n) if kind == "finding" else made.state("{}")
    assert (made.close, len(made)) == (None, CAPACITY_MESSAGES)
    live(made, CAPACITY_MESSAGES + 1) if kind == "finding" else made.state("{}")
    assert (made.close, len(made)) == (Close.TOO_SLOW, 0)


def test_the_time_of_the_decision_travels_with_live_messages_only() -> None:
    made, store = subscriber(after=0, states=True), Store(1)
    made.start(store.head)
    store.feed(made)
    live(made, 2)
    made.state("{}", 3.0)
    assert [message.decided_at for message in iter(made.take, None) if message] == [None, None, 1.0, 3.0]


def test_hub_encodes_once_and_wakes_its_members() -> None:
    woken: list[str] = []
    hub = Hub()
    hub.finding(Entry(1, finding()))
    hub.state({"type": "state"})
    hub.notice({"type": "unmonitored"})
    made = Subscriber(lambda: woken.append("x"))
    hub.join(made)
    made.receive(subscribe(states=True))
    made.admit(Disclosure.FULL)
    made.start(Head(0, 0))
    woken.clear()
    hub.finding(Entry(1, finding()), 2.0)
    hub.state({"type": "state"}, 2.0)
    assert (len(hub), len(woken), hub.waiting) == (1, 2, 3)
    assert [m["type"] for m in drain(made)] == ["hello", "finding", "state"]
    hub.leave(made)
    hub.leave(made)
    assert len(hub) == 0


@settings(max_examples=60, deadline=None)
@given(
    after=st.none() | st.integers(0, 12),
    before=st.integers(0, 12),
    steps=st.lists(st.sampled_from(["commit", "foreign", "prune", "read", "send"]), max_size=40),
)
def test_every_finding_once_and_in_order_or_a_gap(after: int | None, before: int, steps: list[str]) -> None:
    made, store, got = subscriber(after=after), Store(before), []
    made.start(store.head)
    for step in [*steps, "commit", "read", "read", "send"]:
        if step in ("commit", "foreign"):
            store.seq += 1
            if step == "commit":
                live(made, store.seq)
        elif step == "prune":
            store.pruned = store.seq
        elif step == "read" and (cursor := made.replay_after) is not None:
            made.replay(store.page(cursor), store.head)
        elif step == "send":
            got += list(drain(made))
    store.feed(made)
    got += list(drain(made))
    reached = before if after is None else after
    if after is not None and after > before:
        reached = 0
    for message in got[1:]:
        if message["type"] == "gap":
            assert isinstance(message["after"], int)
            assert message["after"] >= reached
            reached = message["after"]
        else:
            assert message["seq"] == reached + 1
            reached += 1
    assert reached == store.seq


def test_what_is_told_once_goes_to_everybody_who_is_past_the_beginning() -> None:
    made = subscriber(states=False)
    made.notice('{"type":"unmonitored"}')
    made.start(Head(0, 0))
    made.notice('{"type":"unmonitored"}')
    assert [m["type"] for m in drain(made)] == ["hello", "unmonitored"]


def test_what_another_process_has_written_is_read_in_the_journal() -> None:
    store, hub = Store(2), Hub()
    made, early = subscriber(after=2), Subscriber()
    for each in (made, early):
        hub.join(each)
    hub.newer(3)
    assert (made.phase, early.phase) == (Phase.STARTING, Phase.AWAITING)
    made.start(store.head)
    assert [message["type"] for message in drain(made)] == ["hello"]
    # It knows of 3 before it has begun.
    assert made.phase is Phase.REPLAYING
    store.seq = 3
    store.feed(made)
    assert ([message["seq"] for message in drain(made)], made.phase) == ([3], Phase.LIVE)
    woken = []
    made.wake = lambda: woken.append(made.phase)
    hub.newer(3)
    assert woken == []
    store.seq = 5
    hub.newer(5)
    assert woken == [Phase.REPLAYING]
    live(made, 5)
    store.feed(made)
    assert ([message["seq"] for message in drain(made)], made.phase) == ([4, 5], Phase.LIVE)

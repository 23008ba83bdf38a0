"""What waits to be sent."""

from __future__ import annotations

from monitor.host.cluster.outbox import MAX_TAKEN, Outbox


def test_what_was_said_first_is_sent_first() -> None:
    outbox = Outbox()
    assert outbox.put([{"n": 1}, {"n": 2}])
    assert outbox.put([{"n": 3}])
    assert outbox.take() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert outbox.take() == []


def test_a_newer_state_takes_the_place_of_an_older_one_and_of_nothing_else() -> None:
    outbox = Outbox()
    outbox.put([{"state": 1}], "ada")
    outbox.put([{"finding": 1}])
    outbox.put([{"state": 2}], "bob")
    outbox.put([{"state": 3}], "ada")
    assert outbox.superseded == 1
    assert outbox.take() == [{"finding": 1}, {"state": 2}, {"state": 3}]


def test_it_is_bounded() -> None:
    outbox = Outbox(capacity=2)
    assert outbox.put([{"n": 1}])
    assert outbox.put([{"n": 2}])
    assert not outbox.put([{"n": 3}])


def test_a_frame_holds_whole_groups_up_to_a_number_of_messages() -> None:
    outbox = Outbox()
    groups = MAX_TAKEN // 3 + 1
    for number in range(groups + 1):
        outbox.put([{"n": number}] * 3)
    assert len(outbox.take()) == 3 * groups
    assert len(outbox) == 1

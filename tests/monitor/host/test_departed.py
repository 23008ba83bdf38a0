from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionConfig, DecisionState, advance, initial
from monitor.decision.rejoin import Join
from monitor.host import departed
from monitor.host.departed import MAX_LINK_DISTANCE, Departed, Memory, Past, face_distance
from monitor.types import FloatArray, ParticipantKey, Score

KEEP = 600.0
ADA = ParticipantKey("board", "ada", "Ada L")
EPISODE = OpenFinding("episode", 3)


def evidence(seconds: float = 10.0, p: float = 0.02) -> DecisionState:
    state = initial(DecisionConfig())
    for n in range(round(2 * seconds)):
        state, _ = advance(state, n / 2, [Score("synchrony", -0.1, p_value=p, one_sided=True)])
    return state


def left(key: ParticipantKey = ADA, at: float = 100.0, state: DecisionState | None = None) -> Departed:
    return Departed(key, at, "ended", state or evidence(), EPISODE, (Join(at - 10.0, 0.0),), {"lips": at})


def remembered(*everybody: Departed) -> Memory:
    memory = Memory(KEEP)
    for one in everybody:
        memory, dropped = memory.put(one)
        assert dropped == ()
    return memory


def test_of_whom_nothing_is_known_nothing_is_said() -> None:
    memory, past = Memory(KEEP).join(ADA, 5.0)
    assert (memory, past) == (Memory(KEEP), Past(joins=(Join(5.0, 0.0),)))
    assert memory.expires_at is None


def test_who_joins_again_goes_on_with_evidence_and_finding_and_is_taken_out() -> None:
    memory, past = remembered(left()).join(ADA, 130.0)
    assert memory.departed == ()
    assert past.finding == EPISODE
    assert past.state is not None
    assert past.state.running == evidence().running
    assert past.joins == (Join(90.0, 0.0), Join(130.0, evidence().judged))
    assert past.memories == {"lips": 100.0}


@pytest.mark.parametrize("key", [ParticipantKey("other", "ada", "Ada L"), ParticipantKey("board", "bob", "Ada L")])
def test_another_call_or_another_name_shares_nothing(key: ParticipantKey) -> None:
    memory = remembered(left())
    assert memory.join(key, 130.0) == (memory, Past(joins=(Join(130.0, 0.0),)))


def test_under_another_claim_the_finding_waits_and_evidence_without_identity_goes_on() -> None:
    memory, past = remembered(left()).join(replace(ADA, identity=None), 130.0)
    assert memory == remembered(left())
    assert past.finding is None
    assert past.state is not None
    assert past.state.running == evidence().unclaimed
    assert len(past.joins) == 2


def test_back_under_the_first_claim_the_evidence_of_both_counts() -> None:
    weak, strong = evidence(10.0, 0.5), evidence(40.0)
    other = left(replace(ADA, identity=None), 200.0, strong)
    memory, past = remembered(left(state=weak), other).join(ADA, 210.0)
    assert memory.departed == (other,)
    assert past.finding == EPISODE
    assert past.state is not None
    assert past.state.running.statistic == strong.running.statistic
    # What was seen last goes on, whatever was claimed then.
    assert past.memories == {"lips": 200.0}


def test_three_joins_with_little_judged_between_are_rejoining() -> None:
    memory, settled = Memory(KEEP), []
    for n in range(3):
        memory, past = memory.join(ADA, 20.0 * n)
        state = past.state or evidence()
        settled.append(state.settled_at)
        memory, _ = memory.put(Departed(ADA, 20.0 * n + 10.0, "ended", state, None, past.joins))
    assert settled == [0.0, 0.0, 60.0]


def test_time_runs_out_for_each_by_themselves() -> None:
    first, second = left(at=100.0), left(replace(ADA, participant="bob"), 150.0)
    memory = remembered(first, second)
    assert memory.expires_at == 700.0
    assert memory.expire(699.9) == (memory, ())
    memory, over = memory.expire(700.0)
    assert (over, memory.departed, memory.expires_at) == ((first,), (second,), 750.0)


def test_the_oldest_make_room_in_a_call_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "MAX_IN_CALL", 2)
    monkeypatch.setattr(departed, "MAX_IN_ALL", 3)
    state = evidence()
    keys = [ParticipantKey(call, name) for call, name in (("x", "1"), ("y", "1"), ("y", "2"))]
    memory = remembered(*(left(key, state=state) for key in keys))
    crowded, dropped = memory.put(left(ParticipantKey("y", "3"), state=state))
    assert [d.key for d in dropped] == [keys[1]]
    assert [d.key.participant for d in crowded.departed] == ["1", "2", "3"]
    _, dropped = memory.put(left(ParticipantKey("z", "1"), state=state))
    assert [d.key for d in dropped] == [keys[0]]


def face(*angles: float) -> FloatArray:
    """Looks on a circle: two people a right angle apart are further from each other than any who are one."""
    return np.array([[np.cos(a), np.sin(a), 0.0] for a in angles], np.float32)


BOB = ParticipantKey("board", "bob")


def test_under_another_name_the_nearest_of_those_who_have_the_face_is_found_and_taken_out() -> None:
    near, nearer = replace(left(), face=face(0.2, 0.25)), replace(left(replace(ADA, participant="eve")), face=face(0.1))
    memory = remembered(near, nearer)
    assert memory.seeks(BOB, 0.0)
    after, same = memory.link(BOB, face(0.0, 0.05), 0.0)
    assert same is nearer
    assert after.departed == (near,)
    after, same = after.link(BOB, face(0.0, 0.05), 0.0)
    assert same is near
    assert not after.seeks(BOB, 0.0)


@pytest.mark.parametrize(
    ("key", "looks", "since"),
    [
        (BOB, face(1.5), 0.0),
        (BOB, face(MAX_LINK_DISTANCE + 0.01), 0.0),
        (replace(BOB, call="other"), face(0.0), 0.0),
        (ADA, face(0.0), 0.0),
        (BOB, face(0.0), 100.0),
    ],
)
def test_another_face_another_call_the_own_name_and_who_was_compared_already_are_not_linked(
    key: ParticipantKey, looks: FloatArray, since: float
) -> None:
    memory = remembered(replace(left(), face=face(0.0)), left(replace(ADA, participant="zoe")))
    assert memory.link(key, looks, since) == (memory, None)
    assert memory.seeks(key, since) == (key.call == "board" and key != ADA and since < 100.0)


def test_faces_are_compared_by_the_median_of_their_looks() -> None:
    assert face_distance(face(0.0), face(0.0)) == 0.0
    assert face_distance(face(0.0, 0.0, 0.0), face(0.0, 0.0, 1.5)) == 0.0


def test_a_call_is_forgotten_and_no_other() -> None:
    eve = left(ParticipantKey("other", "eve"))
    memory, dropped = remembered(left(), eve).forget("board")
    assert (memory.departed, dropped) == ((eve,), (left(),))


def test_whoever_is_remembered_elsewhere_is_given_with_what_is_open() -> None:
    bob = left(ParticipantKey("board", "bob"), 110.0)
    memory, given = remembered(left(), left(replace(ADA, identity=None), 105.0), bob).give_up("board", "ada")
    assert [one.left for one in given] == [100.0, 105.0]
    assert given[0].finding == EPISODE
    assert memory.departed == (bob,)
    assert memory.give_up("other", "bob") == (memory, ())


def test_who_left_elsewhere_before_is_let_go_of_before() -> None:
    bob = left(ParticipantKey("board", "bob"), 110.0)
    memory = remembered(bob, left())
    assert memory.departed == (left(), bob)
    assert memory.expires_at == 700.0

"""One who is remembered by two gateways, and then by one of them twice."""

from __future__ import annotations

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionConfig, initial
from monitor.host.departed import Departed, Memory
from monitor.types import ParticipantKey

KEY = ParticipantKey("board", "alice")
STATE = initial(DecisionConfig())


def departed(step: int, left: float = 1.0, episode: str = "an episode") -> Departed:
    return Departed(KEY, left, "ended", STATE, OpenFinding(episode, step))


def test_a_finding_waits_once() -> None:
    for first, second in ((departed(2), departed(3, left=1.01)), (departed(3, left=1.01), departed(2))):
        memory, dropped = Memory(60.0).put(first)
        memory, more = memory.put(second)
        assert dropped == more == ()
        memory, past = memory.join(KEY, 2.0)
        assert past.finding == OpenFinding("an episode", 3)
        # Nothing is left that would close it while they are judged.
        assert memory.departed == ()


def test_another_finding_waits_for_itself() -> None:
    memory, _ = Memory(60.0).put(departed(2))
    memory, _ = memory.put(departed(0, episode="another"))
    assert len(memory.departed) == len({"an episode", "another"})

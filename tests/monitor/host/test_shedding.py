"""Who is shed and taken back: a machine that is too slow by a known factor, in virtual time, and what never happens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.host import shedding
from monitor.host.shedding import Change, MachineLoad, ParticipantLoad, Place, Shedding, SheddingConfig
from tests.examples_count import examples

STEP = 0.25
ITEMS = 80.0
QUEUE_SECONDS = 1.0


@dataclass
class World:
    """A machine that can judge `power` participants: more of them lag, and lose media once their queues are full."""

    power: float
    people: list[ParticipantLoad]
    state: Shedding = field(default_factory=shedding.initial)
    now: float = 100.0
    busy: float | None = None
    lags: dict[Place, float] = field(default_factory=dict)
    log: list[tuple[float, Change]] = field(default_factory=list)
    lights: list[tuple[float, bool]] = field(default_factory=list)
    # What judging lightly takes off what everybody costs.
    saving: float = 0.0

    @property
    def judged(self) -> list[ParticipantLoad]:
        return [load for load in self.people if load.place not in self.state.shed]

    def run(self, seconds: float) -> World:
        for _ in range(round(seconds / STEP)):
            self._turn()
        return self

    def _turn(self) -> None:
        judged = self.judged
        power = self.power / (1.0 - self.saving) if self.state.light else self.power
        pace = power / max(len(judged), 1)
        for load in judged:
            lag = self.lags.get(load.place, 0.1) + STEP * (1.0 - pace)
            lost = max(0.0, lag - QUEUE_SECONDS)
            self.lags[load.place] = min(max(lag, 0.1), QUEUE_SECONDS)
            self.people[self.people.index(load)] = replace(
                load,
                lag_seconds=self.lags[load.place],
                judged=round(ITEMS * STEP * min(pace, 1.0)),
                dropped=round(ITEMS * lost),
            )
        for place in self.state.shed:
            self.lags[place] = 0.1
        self.now += STEP
        busy = min(1.0, len(judged) / power) if self.busy is None else self.busy
        self.state, change = shedding.advance(self.state, self.now, self.people, MachineLoad(busy))
        if change.light is not None:
            self.lights.append((self.now, change.light))
        if change.shed or change.back:
            self.log.append((self.now, change))

    def leave(self, name: str) -> None:
        self.people = [load for load in self.people if load.place != ("call", name)]
        self.state = self.state.without(("call", name))

    def shed(self) -> set[str]:
        return {name for _, name in self.state.shed}


def person(number: int, *, claimed: bool = False, suspected: bool = False) -> ParticipantLoad:
    return ParticipantLoad(("call", f"p{number}"), number, claimed=claimed, suspected=suspected)


def people(count: int) -> list[ParticipantLoad]:
    return [person(n) for n in range(count)]


def test_a_machine_that_keeps_up_sheds_nobody() -> None:
    world = World(8.0, people(8)).run(600)
    assert world.log == []
    assert not world.state.full


@pytest.mark.parametrize(("here", "power"), [(16, 8.2), (9, 8.2), (4, 2.2), (2, 1.2), (32, 8.2)])
def test_those_who_stay_keep_their_time_soon_and_for_good(here: int, power: float) -> None:
    """Twice what the machine can do: within some seconds as many are judged as it can judge, and it stays so."""
    world = World(power, people(here)).run(15)
    assert power / 2 <= len(world.judged) <= power
    changes = len(world.log)
    world.run(600)
    assert len(world.judged) <= power
    assert max(load.lag_seconds for load in world.judged) < 0.3
    assert len(world.log) - changes <= 12


def test_whoever_joined_last_goes_first_claimed_identities_later_suspects_last() -> None:
    here = [person(n, claimed=n % 2 == 0, suspected=n == 7) for n in range(8)]
    order: list[str] = []
    world = World(0.5, here).run(60)
    for _, change in world.log:
        order += [name for _, name in change.shed]
    assert order == ["p5", "p3", "p1", "p6", "p4", "p2", "p0"]
    assert [load.place[1] for load in world.judged] == ["p7"]


def test_everybody_is_judged_lightly_before_anybody_is_shed() -> None:
    """Five where four and a half can be judged: less work for each is enough, and nobody is shed."""
    world = World(4.5, people(5), saving=0.15).run(25)
    assert [light for _, light in world.lights] == [True]
    assert world.log == []
    assert world.state.light
    assert not world.state.full


def test_where_less_work_is_not_enough_some_are_shed_as_soon_as_without_it() -> None:
    plain, lighter = (World(4.0, people(8), saving=saving).run(15) for saving in (0.0, 0.15))
    (lit, light), (shed, _) = lighter.lights[0], lighter.log[0]
    assert light
    assert 100.0 < lit < shed <= plain.log[0][0] + STEP
    assert lighter.shed() <= plain.shed()


def test_judging_in_full_comes_back_when_all_are_back_and_there_is_room() -> None:
    world = World(4.5, people(5), saving=0.15).run(25)
    world.power = 16.0
    world.run(10)
    assert [light for _, light in world.lights] == [True, False]
    world = World(2.5, people(4), saving=0.15).run(30)
    world.power = 16.0
    world.run(120)
    assert world.shed() == set()
    assert world.lights[-1][1] is False
    assert world.lights[-1][0] > world.log[-1][0]


def test_where_the_cores_have_no_room_judging_stays_light_for_longer_and_relapses_double_the_wait() -> None:
    world = World(4.5, people(5), saving=0.15, busy=0.95).run(20)
    assert world.state.light
    world = World(4.5, people(5), saving=0.15, busy=0.1).run(1800)
    ends = [at for at, light in world.lights if not light]
    waits = [b - a for a, b in pairwise(ends)]
    assert waits[0] < 20
    assert waits[-1] > 300
    assert world.log == []


def test_the_last_one_is_never_shed_and_nobody_new_is_let_in() -> None:
    world = World(0.25, people(1)).run(60)
    assert world.log == []
    world = World(0.25, people(2)).run(60)
    assert [load.place[1] for load in world.judged] == ["p0"]
    assert world.state.full


def test_one_who_is_too_heavy_alone_harms_nobody_else() -> None:
    world = World(8.0, people(4))
    for _ in range(400):
        world.people[2] = replace(world.people[2], lag_seconds=0.9, dropped=20)
        state, change = shedding.advance(world.state, world.now, world.people, MachineLoad(0.5))
        world.state, world.now = state, world.now + STEP
        assert change == Change()
    assert not world.state.full
    assert not world.state.light


def test_one_after_another_comes_back_when_there_is_room() -> None:
    here = [person(n, claimed=n == 3) for n in range(4)]
    world = World(1.0, here).run(30)
    assert world.shed() == {"p0", "p1", "p2"} - {world.judged[0].place[1]}
    world.power = 8.0
    world.run(60)
    back = [change.back for _, change in world.log if change.back]
    assert [[name for _, name in places] for places in back] == [["p0"], ["p1"], ["p2"]]
    assert not world.state.full


def test_a_place_that_is_given_up_is_filled_again() -> None:
    world = World(2.5, people(4)).run(30)
    assert world.shed() == {"p2", "p3"}
    world.leave("p0")
    world.run(30)
    assert world.shed() == {"p3"}
    world.leave("p3")
    assert not world.state.full
    world.leave("p1")
    world.leave("p2")
    assert world.state.shed == frozenset()


def test_when_only_the_shed_are_left_one_is_taken_back_at_once() -> None:
    world = World(1.0, people(2)).run(20)
    world.leave("p0")
    world.run(1.25)
    assert world.shed() == set()


def test_a_load_that_cannot_be_foreseen_does_not_flap() -> None:
    """The cores look idle, as they do where something else than they is too slow: relapses come ever more rarely."""
    world = World(4.0, people(8), busy=0.1).run(3600)
    relapses = [at for at, change in world.log if change.back]
    waits = [b - a for a, b in pairwise(relapses)]
    assert waits[0] < 10
    assert min(waits[-5:]) > 300
    assert len(relapses) < 25


def test_a_return_that_lasts_shortens_the_wait_again() -> None:
    world = World(4.0, people(8), busy=0.1).run(600)
    waited = world.state.wait_seconds
    assert waited > 60
    world.power = 16.0
    world.run(1200)
    assert world.shed() == set()
    assert world.state.wait_seconds < waited


def test_who_sends_nothing_is_not_shed() -> None:
    """Whoever joined last has no camera on: that would help nobody."""
    state, here = (
        shedding.initial(),
        [replace(load, lag_seconds=0.5, judged=20) for load in people(4)] + [person(4), person(5)],
    )
    gone: list[Place] = []
    for n in range(400):
        state, change = shedding.advance(state, n * STEP, here, MachineLoad(1.0))
        gone += change.shed
    assert [name for _, name in gone] == ["p3", "p2", "p1"]


@pytest.mark.parametrize(
    "machine", [MachineLoad(loop_delay_seconds=0.2), MachineLoad(batch_wait_seconds=0.1), MachineLoad(refused=1)]
)
def test_a_late_event_loop_and_a_slow_batcher_are_pressure(machine: MachineLoad) -> None:
    here: list[ParticipantLoad] = [replace(load, judged=20) for load in people(4)]
    state, changes = met(here), []
    for n in range(10):
        state, change = shedding.advance(state, n * STEP, here, machine)
        changes.append(change)
        assert state.full == (n >= 4)
    assert [len(change.shed) for change in changes] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert changes[8].shed == (("call", "p3"),)


def late(here: list[ParticipantLoad], seconds: float = 0.5) -> list[ParticipantLoad]:
    return [replace(load, lag_seconds=seconds) for load in here]


def met(here: list[ParticipantLoad]) -> Shedding:
    """A machine that has kept up with them until now."""
    state, _ = shedding.advance(shedding.initial(), -60.0, late(here, 0.1), MachineLoad())
    return shedding.advance(state, 0.0, late(here, 0.1), MachineLoad())[0]


def test_a_short_burst_sheds_nobody_and_is_forgotten() -> None:
    state, here = shedding.initial(), people(4)
    late = [replace(load, lag_seconds=0.5) for load in here]
    for n in range(400):
        state, change = shedding.advance(state, n * STEP, late if n % 20 < 3 else here, MachineLoad(0.5))
        assert not change.shed
        assert not state.full


def test_a_lag_that_falls_is_waited_for() -> None:
    """After a hiccup everybody works off a second of media; shedding then would help nobody."""
    state, here = shedding.initial(), people(4)
    for n in range(60):
        lag = max(0.1, 1.0 - 0.3 * n * STEP)
        state, change = shedding.advance(
            state, n * STEP, [replace(load, lag_seconds=lag) for load in here], MachineLoad()
        )
        assert change == Change()


def test_time_in_which_the_machine_slept_does_not_count() -> None:
    state, here = shedding.initial(), [replace(load, lag_seconds=0.5) for load in people(4)]
    state, _ = shedding.advance(state, 0.0, here, MachineLoad())
    state, change = shedding.advance(state, 7200.0, people(4), MachineLoad())
    assert change == Change()
    state, change = shedding.advance(state, 7190.0, here, MachineLoad())
    assert (change, state.pressure.seconds) == (Change(), 0.0)


loads = st.lists(
    st.builds(
        ParticipantLoad,
        place=st.integers(0, 5).map(lambda n: ("call", f"p{n}")),
        joined=st.integers(0, 9),
        lag_seconds=st.floats(0.0, 2.0),
        judged=st.integers(0, 40),
        dropped=st.integers(0, 80),
        claimed=st.booleans(),
        suspected=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda load: load.place,
)
machines = st.builds(
    MachineLoad,
    cpu_share=st.floats(0.0, 1.0),
    loop_delay_seconds=st.floats(0.0, 0.4),
    batch_wait_seconds=st.floats(0.0, 0.2),
    refused=st.integers(0, 1),
)


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(st.floats(0.01, 3.0), loads, machines), max_size=60))
def test_what_never_happens(turns: list[tuple[float, list[ParticipantLoad], MachineLoad]]) -> None:
    config, now, last = SheddingConfig(), 0.0, float("-inf")
    state = shedding.initial(config)
    for step, here, machine in turns:
        now += step
        before = state
        state, change = shedding.advance(state, now, here, machine)
        places = {load.place: load for load in here}
        judged = [load for load in here if load.place not in before.shed]
        assert not (change.shed and change.back)
        assert state.light == (before.light if change.light is None else change.light)
        assert not (change.light and (change.shed or change.back))
        if change.light is False:
            assert not (state.shed & places.keys())
            assert now - last >= config.settle_seconds
        assert config.calm_seconds <= state.light_wait_seconds <= config.max_calm_seconds
        assert state.shed == (before.shed | set(change.shed)) - set(change.back)
        assert config.calm_seconds <= state.wait_seconds <= config.max_calm_seconds
        if change.shed or change.back:
            assert now - last >= config.settle_seconds
            last = now
        if change.shed:
            assert set(change.shed) <= {load.place for load in judged}
            assert 1 <= len(change.shed) <= max(1, int(0.75 * len(judged))) < len(judged)
            kept = [load for load in judged if load.place not in change.shed]
            for gone in change.shed:
                assert all((places[gone].suspected, places[gone].claimed) <= (k.suspected, k.claimed) for k in kept)
        if change.back:
            assert len(change.back) == 1
            assert change.back[0] in before.shed
            assert change.back[0] in places

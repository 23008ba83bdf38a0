"""Whoever has just come makes a machine late for some seconds: how long that is waited for, and how long not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.host import shedding
from monitor.host.shedding import MachineLoad, SheddingConfig
from tests.monitor.host.test_shedding import STEP, late, met, people, person


def test_a_meeting_that_begins_for_everybody_at_once_sheds_nobody() -> None:
    """What a session has to do once makes all of them late for some seconds, and then the machine keeps up."""
    state, here = shedding.initial(), people(6)
    for n in range(80):
        state, change = shedding.advance(state, n * STEP, late(here) if n * STEP < 5.0 else here, MachineLoad(0.5))
        assert not change.shed
    assert not state.full


@pytest.mark.parametrize("every", [0.0, 1.0])
def test_a_machine_that_stays_too_slow_sheds_soon_however_many_come(every: float) -> None:
    """Where everybody came at once, and where one comes every second."""
    state, here, changes = shedding.initial(), people(3), []
    for n in range(40):
        if every and n and n * STEP % every == 0.0:
            here.append(person(len(here)))
        state, change = shedding.advance(state, n * STEP, late(here), MachineLoad())
        changes.append(change)
    first = next(n for n, change in enumerate(changes) if change.shed)
    assert first * STEP == SheddingConfig().arrival_pressure_seconds


@pytest.mark.parametrize(("grows", "dropped"), [(0.6, 0), (0.0, 1)])
def test_an_arrival_that_the_machine_cannot_work_off_is_not_waited_for(grows: float, dropped: int) -> None:
    """Either the lag becomes too long, or media are lost: six seconds of it would leave everybody late for longer."""
    state, here, shed_at = shedding.initial(), [replace(load, dropped=dropped) for load in people(4)], 0.0
    for n in range(40):
        now = n * STEP
        state, change = shedding.advance(state, now, late(here, 0.4 + grows * now), MachineLoad())
        if change.shed:
            shed_at = now
            break
    config = SheddingConfig()
    assert config.pressure_seconds <= shed_at <= config.pressure_seconds + 2 * STEP


def test_where_it_was_too_slow_before_somebody_came_nobody_waits_for_them() -> None:
    here, changes = people(3), []
    state = met(here)
    for n in range(12):
        some = here if n < 2 else [*here, person(3)]
        state, change = shedding.advance(state, n * STEP, late(some), MachineLoad())
        changes.append(change)
    assert next(n for n, change in enumerate(changes) if change.shed) == SheddingConfig().pressure_seconds / STEP


def test_who_has_left_and_comes_again_has_come_anew_and_who_was_shed_has_not() -> None:
    here = people(3)
    state = met(here)
    state, _ = shedding.advance(state, 0.5, late(here[:2], 0.1), MachineLoad())
    assert state.arrived_at == -60.0
    state, _ = shedding.advance(state, 1.0, late(here, 0.1), MachineLoad())
    assert state.arrived_at == 1.0
    state, _ = shedding.advance(replace(state, shed=frozenset({here[0].place})), 9.0, late(here, 0.1), MachineLoad())
    assert state.arrived_at == 1.0

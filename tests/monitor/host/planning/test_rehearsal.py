"""What is drawn, and a plan rehearsed on it: means, intervals, and what each thing that happens changes."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

import pytest
from numpy.random import default_rng

from monitor.host.planning import costs as names
from monitor.host.planning.demand import LEAD_SECONDS, Demand, deaths, slowdowns, visits
from monitor.host.planning.model import SimulatedFleet
from monitor.host.planning.rehearsal import (
    NORMAL,
    STUDENT,
    Interval,
    demand_of,
    fleet_of,
    interval,
    rehearse,
    scenarios,
)
from monitor.host.planning.sizing import Assumptions, FleetPlan, plan
from tests.monitor.host.planning.build import costs

FLEET = SimulatedFleet(machines=10, processes=8, places=32, power=4.5, cores_each=0.14)
HOUR = 3600.0


def made(people: int = 200, **assumed: float) -> FleetPlan:
    return plan(costs(), replace(Assumptions(participants=people), **assumed))  # type: ignore[arg-type]


def test_as_many_are_there_as_are_planned_for() -> None:
    drawn = list(visits(Demand(live=400), HOUR, default_rng(1)))
    for at in (0.0, 1200.0, 2400.0, 3500.0):
        there = sum(visit.at <= at < visit.at + visit.seconds for visit in drawn)
        assert 320 < there < 480
    assert sum(visit.at == -LEAD_SECONDS for visit in drawn) == 400
    assert mean(visit.weight for visit in drawn) == pytest.approx(1.0, abs=0.03)
    assert mean(visit.seconds for visit in drawn) == pytest.approx(1800.0, rel=0.1)
    calls = {visit.call for visit in drawn}
    assert len(drawn) / len(calls) == pytest.approx(4.0, rel=0.15)
    assert len({(visit.call, visit.name) for visit in drawn}) == len(drawn)
    assert all(visit.claimed for visit in drawn)
    assert visits(Demand(live=9, claimed=0.0), 9.0, default_rng(1)).__next__().claimed is False


def test_a_surge_comes_within_its_time() -> None:
    drawn = [v for v in visits(Demand(live=100, surge=0.5), HOUR, default_rng(2)) if v.call.startswith("surge")]
    assert len(drawn) == 50
    assert all(1200.0 <= visit.at <= 1520.0 for visit in drawn)


def test_the_same_generator_draws_the_same() -> None:
    demand = Demand(live=50, surge=0.1, deaths_per_month=900.0, slowdowns_per_day=50.0, dying_machines=2)
    for draw in (
        lambda random: list(visits(demand, HOUR, random)),
        lambda random: list(deaths(demand, FLEET, HOUR, random)),
        lambda random: list(slowdowns(demand, FLEET, HOUR, random)),
    ):
        assert draw(default_rng(3)) == draw(default_rng(3)) != draw(default_rng(4))


def test_what_dies_and_slows_is_as_many_as_expected() -> None:
    demand = Demand(live=1, deaths_per_month=90.0, slowdowns_per_day=24.0, dying_machines=99)
    dying = list(deaths(demand, FLEET, HOUR, default_rng(5)))
    # 80 processes, 3 a day each; and all ten machines, no more.
    assert [death.machine for death in dying if death.process is None] != sorted(range(10))
    assert sorted(death.machine for death in dying if death.process is None) == list(range(10))
    assert 3 <= sum(death.process is not None for death in dying) <= 20
    assert 3 <= len(list(slowdowns(demand, FLEET, HOUR, default_rng(5)))) <= 20
    assert list(deaths(replace(demand, deaths_per_month=0.0, dying_machines=0), FLEET, HOUR, default_rng(5))) == []


def test_an_interval_is_students() -> None:
    assert interval([3.0]) == Interval(3.0, None, None)
    two = interval([1.0, 3.0])
    assert (two.mean, two.low) == (2.0, 0.0)
    assert two.high == pytest.approx(2.0 + 12.706)
    assert interval([0.5, 0.9], 1.0).high == 1.0
    many = interval([1.0, 3.0] * 20)
    assert many.high == pytest.approx(2.0 + NORMAL * 1.0127 / 40**0.5, rel=1e-3)
    assert list(STUDENT) == sorted(STUDENT, reverse=True)


def test_the_fleet_is_the_plans() -> None:
    fleet = fleet_of(made())
    assert (fleet.machines, fleet.processes, fleet.places, fleet.cores) == (9, 8, 32, 2.0)
    assert (fleet.routing, fleet_of(made(), "least").routing) == ("call", "least")
    # Four held on two cores and a fifth did not.
    assert fleet.power == 4.5
    assert fleet.cores_each == 0.277
    assert fleet.warm_seconds == 2.3
    assert (fleet.light_saving, fleet_of(made(light_saving=0.2)).light_saving) == (0.0, 0.2)
    by_time = fleet_of(plan(costs({names.FIRST_VERDICT: None}, capacity=None), Assumptions(participants=200)))
    assert by_time.power == pytest.approx(2 / 0.277)
    assert by_time.warm_seconds == 3.0


def test_what_is_rehearsed() -> None:
    planned = made(claimed=0.25, stay_minutes=15.0)
    assert demand_of(planned) == Demand(live=200, stay_seconds=900.0, claimed=0.25)
    assert list(scenarios(planned, 0.3)) == ["as planned", "a machine dies", "30% more within five minutes"]
    assert [demand.dying_machines for demand in scenarios(planned, 0.3).values()] == [0, 1, 0]
    assert [demand.surge for demand in scenarios(planned, 0.3).values()] == [0.0, 0.0, 0.3]


def test_a_machine_that_dies_and_a_surge_show_where_they_should() -> None:
    planned, counted = made(100), []
    fleet = fleet_of(planned, "least")
    usual, dying, surge = (
        rehearse(name, fleet, replace(demand, slowdowns_per_day=0.0), 900.0, range(2), done=lambda: counted.append(1))
        for name, demand in scenarios(planned, 1.0).items()
    )
    assert len(counted) == 6
    assert (usual.name, usual.repetitions) == ("as planned", 2)
    assert usual.judged_share.mean > 0.98
    assert dying.deaths >= 8
    assert dying.unmonitored.mean > usual.unmonitored.mean
    assert surge.refused.mean > usual.refused.mean
    assert surge.refused_visits.mean > 0.2
    assert surge.as_json()["refused"]["mean"] == surge.refused.mean


def test_where_nobody_comes_nothing_is_divided() -> None:
    empty = rehearse("nobody", FLEET, Demand(live=0), 10.0, [1])
    assert (empty.judged_share.mean, empty.refused_visits.mean, empty.shed.low) == (0.0, 0.0, None)

"""A fleet in simulated time: every second of everybody is accounted for, and each event does what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.host.cluster.placement import HostView, places
from monitor.host.planning.fleet import REVIEW_SECONDS, simulate
from monitor.host.planning.model import Death, Outcome, Routing, SimulatedFleet, Slowdown, Visit
from tests.examples_count import examples

ONE = SimulatedFleet(machines=1, processes=1, places=8, power=4.5, cores_each=0.15, warm_seconds=2.0)


def people(count: int, at: float = 1.0, seconds: float = 1000.0, call: str = "board") -> list[Visit]:
    return [Visit(at + 0.01 * number, seconds, call, f"p{number}") for number in range(count)]


def test_who_has_room_is_judged_all_the_time_but_for_the_first_verdict() -> None:
    outcome = simulate(ONE, people(4, seconds=50.0), 100.0)
    assert (outcome.visits, outcome.refused, outcome.sheds, outcome.deaths) == (4, 0, 0, 0)
    assert outcome.offered_seconds == pytest.approx(200.0)
    assert outcome.warming_seconds == pytest.approx(8.0)
    assert outcome.judged_seconds == pytest.approx(192.0)
    assert outcome.late_seconds == outcome.shed_seconds == outcome.refused_seconds == outcome.unmonitored_seconds == 0


def test_what_was_before_the_beginning_and_what_comes_after_the_end_is_not_counted() -> None:
    outcome = simulate(ONE, [Visit(-10.0, 20.0, "c", "a"), Visit(-1.0, 500.0, "c", "b")], 100.0)
    assert outcome.visits == 0
    # The first is warm at 0, the second has a second of it left.
    assert outcome.warming_seconds == pytest.approx(1.0)
    assert outcome.offered_seconds == pytest.approx(10.0 + 100.0)
    assert simulate(ONE, [Visit(100.0, 5.0, "c", "late")], 100.0).offered_seconds == 0.0


def test_more_than_a_host_can_judge_are_shed_by_the_products_own_rule() -> None:
    outcome = simulate(ONE, people(8), 120.0)
    assert outcome.sheds >= 4
    assert 0.3 < outcome.shed_seconds / outcome.offered_seconds < 0.6
    # Whoever has just come is waited for.
    assert 0.0 < outcome.late_seconds < 150.0
    calm = simulate(replace(ONE, power=8.5), people(8), 120.0)
    assert (calm.sheds, calm.late_seconds) == (0, 0.0)


def test_everybody_is_judged_lightly_before_anybody_is_shed_and_in_full_after_the_calm() -> None:
    fleet, visits = replace(ONE, light_saving=0.4), [*people(4), *people(2, at=2.0, seconds=60.0, call="other")]
    without, with_it = simulate(ONE, visits, 120.0), simulate(fleet, visits, 120.0)
    # 6 at 0.6 each are fewer than 4.5, and nobody need be shed; without a saving it is lightly, and in vain.
    assert without.sheds > 0 == with_it.sheds
    assert without.light_seconds > 0.0
    assert with_it.late_seconds < without.late_seconds
    # From some time in the third second on, but for tries to judge in full, for as long as there are six, and a calm.
    assert 6 * 50.0 < with_it.light_seconds < 6 * 60.0 + 4 * 35.0
    # A host on which all keep up is never lighter, however much that would save.
    assert simulate(fleet, people(4), 120.0).light_seconds == 0.0


def test_who_is_judged_lightly_to_the_end_is_counted_to_the_end() -> None:
    """Though nothing happens any more, and nobody is looked at."""
    fleet = replace(ONE, light_saving=0.4)
    longer, shorter = (simulate(fleet, people(6), seconds) for seconds in (31.9, 30.1))
    assert longer.light_seconds - shorter.light_seconds == pytest.approx(6 * 1.8, abs=6 * REVIEW_SECONDS)
    before = simulate(fleet, [Visit(-30.0, 90.0, "c", str(number)) for number in range(6)], 10.0)
    assert before.light_seconds == pytest.approx(60.0)


def test_they_come_back_when_others_leave() -> None:
    leaving = [*people(4, seconds=40.0), *people(4, at=2.0, seconds=300.0, call="other")]
    outcome = simulate(ONE, leaving, 300.0)
    # The last ones were shed while the first were there, and judged afterwards.
    assert outcome.shed_seconds < 4 * 80.0
    assert outcome.judged_seconds > 4 * 200.0


def test_who_finds_no_place_asks_again_and_the_wait_is_counted() -> None:
    full = replace(ONE, places=2)
    visits = [*people(2, seconds=20.0), Visit(5.0, 60.0, "board", "late")]
    outcome = simulate(full, visits, 100.0)
    assert (outcome.visits, outcome.refused) == (3, 1)
    # Refused at 5, 10, 15 and 20; the places are free at 21.
    assert outcome.refused_seconds == pytest.approx(20.0)
    never = simulate(full, [*people(2), Visit(5.0, 30.0, "board", "late")], 100.0)
    assert never.refused_seconds == pytest.approx(30.0)
    cut = simulate(full, [*people(2), Visit(5.0, 300.0, "board", "late")], 100.0)
    assert cut.refused_seconds == pytest.approx(95.0)


def test_nobody_new_comes_in_while_a_host_is_too_slow_and_they_wait_longer() -> None:
    visits = [*people(6), Visit(20.0, 100.0, "board", "late")]
    outcome = simulate(ONE, visits, 60.0)
    assert outcome.refused == 1
    assert outcome.refused_seconds == pytest.approx(40.0)


def test_a_dead_host_leaves_its_people_unmonitored_until_another_has_judged_them() -> None:
    two = replace(ONE, processes=2)
    outcome = simulate(two, people(3), 100.0, [Death(50.0, 0, 0, 10.0)])
    assert outcome.deaths == 1
    # Two of a call are together. Noticed in 2 s, published again 2 s later, the first verdict after 2 more.
    assert outcome.unmonitored_seconds == pytest.approx(2 * 6.0)
    assert outcome.refused == 0
    assert outcome.warming_seconds == pytest.approx(3 * 2.0)


def test_a_machine_takes_all_its_hosts_along_and_what_is_dead_does_not_die_again() -> None:
    fleet = replace(ONE, machines=2, processes=2, places=8, routing="least")
    dead = [Death(50.0, 0, None, 30.0), Death(60.0, 0, 1, 30.0), Death(70.0, 0, None, 1.0)]
    outcome = simulate(fleet, people(12), 100.0, dead)
    assert outcome.deaths == 2
    # 8 of 12 fit on what is left; those who do not are unmonitored, not refused.
    assert outcome.refused == 0
    assert outcome.unmonitored_seconds > 8 * 6.0


def test_a_call_that_goes_by_its_name_waits_for_its_machine_to_come_back() -> None:
    by_name, anywhere = (replace(ONE, machines=2, routing=routing) for routing in ("call", "least"))
    for machine in (0, 1):
        dead = [Death(50.0, machine, None, 30.0)]
        waited, moved = (simulate(fleet, people(3), 100.0, dead) for fleet in (by_name, anywhere))
        if waited.unmonitored_seconds:
            # Back at 80, asked again every 5 s from 54 on, and the first verdict.
            assert waited.unmonitored_seconds == pytest.approx(3 * (84.0 - 50.0 + 2.0), abs=3.1)
        assert moved.unmonitored_seconds in (0.0, pytest.approx(3 * 6.0))
    assert sum(simulate(by_name, people(3), 100.0, [Death(50.0, m, None, 9.0)]).deaths for m in (0, 1)) == 2


def test_calls_that_go_by_their_names_fill_machines_unevenly() -> None:
    visits = [visit for number in range(20) for visit in people(4, call=f"call-{number}")]
    fleet = replace(ONE, machines=10, processes=2, places=8, power=9.0)
    routings: list[Routing] = ["least", "participant", "call"]
    anywhere, one_by_one, by_name = (simulate(replace(fleet, routing=r), visits, 60.0).refused for r in routings)
    # As many places as people: calls fill machines less evenly than people do.
    assert anywhere == 0 < one_by_one < by_name


def test_who_leaves_before_a_new_place_is_found_asks_no_more() -> None:
    outcome = simulate(ONE, people(2, seconds=51.0), 100.0, [Death(50.0, 0, 0, 40.0)])
    # Two people, for the two seconds that they had left.
    assert outcome.unmonitored_seconds == pytest.approx(2 * 2.0, abs=0.05)


def test_one_who_dies_twice_before_a_verdict_is_unmonitored_throughout() -> None:
    fleet = replace(ONE, processes=2)
    outcome = simulate(fleet, people(1), 100.0, [Death(50.0, 0, 0, 60.0), Death(55.0, 0, 1, 1.0)])
    assert outcome.deaths == 2
    assert outcome.unmonitored_seconds == pytest.approx((55.0 - 50.0) + 6.0)


def test_a_slow_neighbour_makes_scores_late_for_as_long_as_it_is_there() -> None:
    outcome = simulate(ONE, people(4), 200.0, slowdowns=[Slowdown(50.0, 0, 0.5, 30.0)])
    assert outcome.late_seconds > 0.0
    assert 0.0 < outcome.shed_seconds < 0.5 * outcome.offered_seconds
    brief = simulate(ONE, people(4), 200.0, slowdowns=[Slowdown(50.0, 0, 0.8, 1.0)])
    assert brief.sheds == 0


def test_a_placement_is_shown_the_hosts_of_the_machine_and_obeyed() -> None:
    shown: list[list[HostView]] = []

    def last(hosts: Sequence[HostView], call: str) -> Sequence[int]:
        shown.append([replace(host, calls=dict(host.calls)) for host in hosts])
        assert call == "board"
        return [host.number for host in hosts][::-1]

    fleet = replace(ONE, processes=3)
    outcome = simulate(fleet, people(2), 10.0, place=last)
    assert outcome.refused == 0
    assert [[host.judged for host in hosts] for hosts in shown] == [[0, 0, 0], [0, 0, 1]]
    assert [host.calls for host in shown[1]] == [{}, {}, {"board": 1}]
    assert {host.cores for host in shown[0]} == {1.0}


def test_by_default_it_is_the_gateways_own() -> None:
    """Two of a call stay together on a core, the third goes elsewhere: as `monitor.host.cluster.placement` has it."""
    seen: list[int] = []

    def watching(hosts: Sequence[HostView], call: str) -> Sequence[int]:
        ordered = places(hosts, call)
        seen.append(ordered[0])
        return ordered

    fleet = replace(ONE, processes=2)
    assert simulate(fleet, people(3), 10.0, place=watching) == simulate(fleet, people(3), 10.0)
    assert seen == [0, 0, 1]


def test_of_a_large_fleet_no_place_is_missed() -> None:
    fleet = SimulatedFleet(machines=320, processes=1, places=1, power=1.5, cores_each=0.3, routing="least")
    visits = [Visit(0.01 * number, 100.0, f"call-{number // 3}", f"p{number}") for number in range(320)]
    # Each has a place and none is refused, though the fleet is full in the end.
    assert simulate(fleet, visits, 30.0).refused == 0
    assert simulate(fleet, [*visits, Visit(9.0, 9.0, "one", "more")], 30.0).refused == 1


@settings(max_examples=examples(100))
@given(
    visits=st.lists(
        st.builds(
            Visit,
            st.floats(-5.0, 60.0),
            st.floats(0.5, 80.0),
            st.sampled_from(["a", "b"]),
            st.integers(0, 10_000).map(str),
            st.floats(0.5, 2.0),
            st.booleans(),
        ),
        max_size=20,
        unique_by=lambda visit: visit.name,
    ),
    deaths=st.lists(
        st.builds(Death, st.floats(0.0, 60.0), st.integers(0, 1), st.sampled_from([None, 0, 1]), st.floats(1.0, 20.0)),
        max_size=4,
    ),
    power=st.floats(0.5, 6.0),
    routing=st.sampled_from(["call", "participant", "least"]),
    saving=st.sampled_from([0.0, 0.4]),
)
def test_every_second_is_accounted_for_once(
    visits: list[Visit], deaths: list[Death], power: float, routing: Routing, saving: float
) -> None:
    fleet = SimulatedFleet(machines=2, processes=2, places=5, power=power, cores_each=0.2, routing=routing)
    fleet = replace(fleet, light_saving=saving)
    outcome = simulate(fleet, visits, 60.0, deaths)
    there = sum(max(0.0, min(v.at + v.seconds, 60.0) - max(v.at, 0.0)) for v in visits if v.at < 60.0)
    assert outcome.offered_seconds == pytest.approx(there, abs=1e-6)
    assert all(value >= -1e-9 for value in (getattr(outcome, name) for name in Outcome.__slots__))
    assert outcome == simulate(fleet, visits, 60.0, deaths)
    # It is looked at a few times a second, whoever came or left in between.
    looked = outcome.judged_seconds + outcome.warming_seconds + outcome.unmonitored_seconds
    assert outcome.late_seconds <= looked + 2 * REVIEW_SECONDS * len(visits)
    assert outcome.light_seconds <= looked + 2 * REVIEW_SECONDS * len(visits)

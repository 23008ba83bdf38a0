"""How many machines: by processor time, by what one process held, with headroom and spares."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.host.planning import costs as names
from monitor.host.planning.costs import PlanError
from monitor.host.planning.sizing import Assumptions, plan
from tests.monitor.host.planning.build import costs, result

TEN_THOUSAND = Assumptions(participants=10_000)


def test_ten_thousand_by_what_one_machine_held() -> None:
    made = plan(costs(), TEN_THOUSAND)
    # 16 cores are 8 processes of 2, which held 4 each; a fifth is left free.
    assert (made.per_machine, made.places, made.processes) == (25, 32, 8)
    assert (made.machines, made.cores, made.hosts) == (401, 6416, 3208)
    assert made.bound == "how many the processes hold"
    assert made.memory_gb_each == pytest.approx((8 * 549 + 17 * 20) / 1000)
    assert made.memory_gb == pytest.approx(401 * made.memory_gb_each)
    assert made.in_mbps == pytest.approx(10_000 * 1.6393, rel=1e-3)
    assert made.in_mbps_each == pytest.approx(made.in_mbps / 400)
    assert made.joins_per_hour == 20_000
    assert made.findings_per_hour == pytest.approx(300)
    assert made.gpus == 0


def test_processor_time_binds_where_a_process_holds_as_many_as_it_has_time_for() -> None:
    made = plan(costs(capacity={"participants": 40, "cores": 2}), TEN_THOUSAND)
    assert (made.bound, made.per_machine) == ("processor time", 46)
    unknown = plan(costs(capacity=None), TEN_THOUSAND)
    assert (unknown.bound, unknown.per_machine) == ("processor time", 46)
    assert any("was not measured" in sentence for sentence in unknown.assumptions())


def test_several_processes_are_planned_as_they_were_compared() -> None:
    growth = {"processes": 2, "one": 4, "several": 6}
    made = plan(costs(growth=growth), TEN_THOUSAND)
    # Six on two cores, judged by two; sixteen cores less a fifth.
    assert (made.per_machine, made.processes, made.bound) == (38, 16, "how many the processes hold")
    assert any("2 judging held 6 on 2 cores" in sentence for sentence in made.assumptions())


def test_what_an_idle_process_takes_is_taken_off() -> None:
    made = plan(costs({names.IDLE_CORES: 0.1}, capacity=None), TEN_THOUSAND)
    assert made.per_machine == int((0.8 * 16 - 8 * 0.1) / 0.277)


def test_who_claims_nobody_costs_less() -> None:
    made = plan(costs(), replace(TEN_THOUSAND, claimed=0.5))
    assert made.cores_each == pytest.approx(0.277 - 0.5 * 0.045)
    cheap = plan(costs({names.PAIRWISE: 9.0}, capacity=None), replace(TEN_THOUSAND, claimed=0.99))
    assert cheap.cores_each == pytest.approx(0.99 * 0.277)


def test_participants_who_are_not_there_at_once_need_no_place() -> None:
    made = plan(costs(), replace(TEN_THOUSAND, concurrency=0.4, spare_machines=0))
    assert (made.live, made.machines) == (4000, 160)


def test_what_is_written_is_added_up() -> None:
    made = plan(costs(), TEN_THOUSAND)
    changes, joins, probes = 300 * 4 / 3600, 20_000 / 3600, 401 / 10
    assert made.writes == pytest.approx(changes * 3 + changes + joins * 2 + probes)
    assert made.commits == pytest.approx(2 * changes + joins + probes)
    assert made.journal_share == pytest.approx((changes + probes) * 0.01)
    silent = plan(costs(), replace(TEN_THOUSAND, speaking=0.0))
    assert (silent.findings_per_hour, silent.journal_gb_per_day) == (0.0, 0.0)
    more = plan(costs(), replace(TEN_THOUSAND, sinks=3))
    assert more.writes - made.writes == pytest.approx(2 * changes)


def test_states_go_to_every_subscriber() -> None:
    told = replace(TEN_THOUSAND, subscribers=0)
    per = plan(costs({names.STATE_BYTES: 1000.0}), replace(told, subscribers=2)).out_mbps - plan(costs(), told).out_mbps
    assert per == pytest.approx(10_000 * 2 * 2 * 1000 * 8e-6)


def test_a_machine_of_one_core_holds_half_of_what_two_did() -> None:
    made = plan(costs(), replace(TEN_THOUSAND, machine_cores=1))
    assert (made.per_machine, made.processes) == (1, 1)


def test_a_machine_that_would_hold_nobody_is_refused() -> None:
    with pytest.raises(PlanError, match="a machine of 1 cores would hold nobody: give more --machine-cores"):
        plan(costs(), replace(TEN_THOUSAND, machine_cores=1, headroom=0.9))


def test_a_gpu_is_planned_as_it_was_measured_or_not_at_all() -> None:
    settings = {**result()["settings"], "engine": "tensorrt"}
    on_gpu = costs({names.CORES: 0.05}, settings=settings, capacity={"participants": 64, "cores": 16})
    made = plan(on_gpu, TEN_THOUSAND)
    assert (made.per_machine, made.machines, made.gpus) == (51, 198, 198)
    assert not any("No GPU" in sentence for sentence in made.assumptions())
    for wrong in (costs(settings=settings, capacity=None), costs(settings=settings)):
        with pytest.raises(PlanError, match="measured on a GPU"):
            plan(wrong, TEN_THOUSAND)


def test_the_assumptions_are_said_with_their_numbers() -> None:
    doubtful = costs(notes=["conclude nothing"])
    said = "\n".join(plan(doubtful, replace(TEN_THOUSAND, speaking=0.35)).assumptions())
    for part in ("a test", "held 4 on 2 cores", "35%", "20% of every machine of 16 cores", "conclude nothing"):
        assert part in said
    assert any("No GPU" in sentence for sentence in plan(costs(), TEN_THOUSAND).assumptions())
    assert "lightly saves nothing: what it does was not measured" in said
    saving = plan(costs(), replace(TEN_THOUSAND, light_saving=0.2))
    assert "Judging lightly takes 20% off what a participant costs." in saving.assumptions()


def test_the_json_holds_costs_assumptions_and_needs() -> None:
    made = plan(costs(), TEN_THOUSAND)
    told = made.as_json()
    assert told["costs"]["claimed_cores"] == 0.277
    assert told["assumptions"]["participants"] == 10_000
    assert (told["needs"]["machines"], told["needs"]["hosts"]) == (401, 3208)
    assert set(told["needs"]) == {*made.__slots__, "hosts"} - {"costs", "assumed"}


@given(
    people=st.integers(1, 200_000),
    headroom=st.floats(0.0, 0.5),
    spare=st.integers(0, 5),
    cores=st.integers(4, 128),
)
def test_there_is_a_place_for_everybody_when_the_spare_machines_are_gone(
    people: int, headroom: float, spare: int, cores: int
) -> None:
    assumed = Assumptions(participants=people, headroom=headroom, spare_machines=spare, machine_cores=cores)
    made = plan(costs(), assumed)
    left = made.machines - spare
    assert left * made.per_machine >= people > (left - 1) * made.per_machine
    assert made.processes <= made.per_machine <= made.places
    assert made.per_machine * made.cores_each <= cores * (1.0 - headroom) + 1e-6

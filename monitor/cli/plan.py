"""`sidewitness plan`: what a number of participants needs, from what a benchmark measured, and what becomes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.host.planning.costs import UnitCosts
    from monitor.host.planning.model import Routing
    from monitor.host.planning.rehearsal import Interval, Rehearsal
    from monitor.host.planning.sizing import FleetPlan

REFERENCE = Path(__file__).parents[1] / "host" / "planning" / "reference.json"
SHIPPED = "the reference figures of this release (docs/results.md, budgets)"
MACHINE_CORES = 16

Participants = Annotated[int, typer.Option(help="Participants, all together.", min=1, max=10_000_000)]
Result = Annotated[
    Path | None,
    typer.Option(metavar="BENCH.json", help="What `sidewitness bench` measured here (default: reference figures)."),
]
Concurrency = Annotated[float, typer.Option(help="Share of them in calls at the busiest time.", min=0.001, max=1.0)]
Speaking = Annotated[float, typer.Option(help="Share of the time in which somebody is judged.", min=0.0, max=1.0)]
Claimed = Annotated[float, typer.Option(help="Share of them who claim an enrolled identity.", min=0.0, max=1.0)]
Findings = Annotated[float, typer.Option(help="Findings a judged hour of a participant.", min=0.0, max=60.0)]
Stay = Annotated[float, typer.Option(help="Minutes that somebody stays in a call.", min=1.0, max=1440.0)]
Subscribers = Annotated[int, typer.Option(help="Subscribers who take every state.", min=0, max=1000)]
Sinks = Annotated[int, typer.Option(help="Sinks that findings are delivered to.", min=0, max=100)]
Headroom = Annotated[float, typer.Option(help="Share of every machine that is left free.", min=0.0, max=0.9)]
Spare = Annotated[int, typer.Option(help="Machines that may fail at the same time.", min=0, max=1000)]
MachineCores = Annotated[
    int | None,
    typer.Option(help=f"Cores of a machine (default: {MACHINE_CORES}; of a GPU's, as measured).", min=1, max=1024),
]
Simulate = Annotated[bool, typer.Option("--simulate", help="Play the plan: arrivals, deaths, load beyond it.")]
Seeds = Annotated[int, typer.Option(help="Repetitions of the simulation, for its intervals.", min=1, max=1000)]
Minutes = Annotated[float, typer.Option(help="Minutes that are simulated, each time.", min=1.0, max=1440.0)]
Surge = Annotated[float, typer.Option(help="Share of participants who come unplanned within five minutes.", min=0.0)]
Light = Annotated[
    float, typer.Option(help="Share of a participant's cost that judging lightly takes off.", min=0.0, max=0.9)
]
Chosen = Annotated[
    Literal["call", "participant", "least"],
    typer.Option("--routing", help="How a machine is chosen: by a hash of the call or of the participant; most room."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def command(
    participants: Participants = 1000,
    result: Result = None,
    concurrency: Concurrency = 1.0,
    speaking: Speaking = 0.3,
    claimed: Claimed = 1.0,
    findings_per_hour: Findings = 0.1,
    stay_minutes: Stay = 30.0,
    subscribers: Subscribers = 1,
    sinks: Sinks = 1,
    headroom: Headroom = 0.2,
    spare_machines: Spare = 1,
    machine_cores: MachineCores = None,
    simulate: Simulate = False,
    seeds: Seeds = 5,
    minutes: Minutes = 60.0,
    surge: Surge = 0.3,
    light_saving: Light = 0.0,
    routing: Chosen = "call",
    as_json: AsJson = False,
) -> None:
    """Compute machines, memory, network and database writes for a number of participants, and say what is assumed.

    The figures are those that a benchmark measured on one machine: give yours with --result, best with its --capacity.
    With --simulate the fleet is played as well: who is refused, shed and unmonitored when people come at random, a
    machine dies, or more come than were planned for.

    \b
    Example:
      sidewitness plan --participants 10000
      sidewitness plan --participants 1000 --result runs/bench/bench.json --concurrency 0.4 --simulate --json
    """  # noqa: D301
    from monitor.host.planning.sizing import Assumptions, plan

    costs = _costs(result)
    assumed = Assumptions(
        participants=participants,
        concurrency=concurrency,
        speaking=speaking,
        claimed=claimed,
        findings_per_hour=findings_per_hour,
        stay_minutes=stay_minutes,
        subscribers=subscribers,
        sinks=sinks,
        headroom=headroom,
        spare_machines=spare_machines,
        machine_cores=machine_cores or (costs.held_cores if costs.on_gpu else MACHINE_CORES),
        light_saving=light_saving,
    )
    made = plan(costs, assumed)
    played = _play(made, routing, seeds, minutes, surge) if simulate else []
    if as_json:
        more = {"simulated": {"minutes": minutes, "routing": routing, "runs": [one.as_json() for one in played]}}
        typer.echo(json.dumps({**made.as_json(), **(more if simulate else {})}))
        return
    _show(made)
    if simulate:
        _show_played(played, minutes)


def _costs(result: Path | None) -> UnitCosts:
    from monitor.host.planning.costs import PlanError, costs_of

    file = result or REFERENCE
    try:
        read = json.loads(file.read_text())
    except (ValueError, RecursionError):
        raise PlanError(f"{file} is not JSON: give the bench.json of `sidewitness bench --out`") from None
    costs = costs_of(read, str(file))
    return costs if result is not None else replace(costs, source=SHIPPED)


def _play(made: FleetPlan, routing: Routing, seeds: int, minutes: float, surge: float) -> list[Rehearsal]:
    from rich.console import Console
    from rich.progress import Progress

    from monitor.host.planning.rehearsal import fleet_of, rehearse, scenarios

    fleet, chosen = fleet_of(made, routing), scenarios(made, surge)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("simulating", total=seeds * len(chosen))
        return [
            rehearse(name, fleet, demand, 60.0 * minutes, range(seeds), done=lambda: progress.advance(task))
            for name, demand in chosen.items()
        ]


def _show(made: FleetPlan) -> None:
    from monitor.cli.identities import print_table

    title = f"{made.live} participants at once, {made.per_machine} a machine"
    print_table(title, ("what", "needed", "how"), rows(made))
    for sentence in made.assumptions():
        typer.echo(sentence)


def rows(made: FleetPlan) -> Iterator[tuple[str, str, str]]:
    """Give what a plan needs, a row each: what, how much, and how it comes about."""
    assumed = made.assumed
    cores = assumed.machine_cores
    spare = f"{assumed.spare_machines} of them to spare; what fills one is {made.bound}"
    yield "machines", f"{made.machines}", f"{cores} cores each, {spare}"
    yield (
        "processes",
        f"{made.hosts}",
        f"{made.processes} a machine that judge; max_participants {made.places}",
    )
    yield "cores", f"{made.cores}", f"{made.cores_each:.3f} a participant, {made.live * made.cores_each:.0f} at work"
    yield "memory", f"{made.memory_gb:.0f} GB", f"{made.memory_gb_each:.1f} GB a machine, the system's not in it"
    yield "GPUs", f"{made.gpus}", "one a machine, as measured" if made.gpus else "none needed"
    into = f"{made.in_mbps_each:.0f} Mbit/s a machine"
    yield "network in", f"{made.in_mbps / 1000:.2f} Gbit/s", f"media of {made.costs.video_kbps:g} kbit/s; {into}"
    yield "network out", f"{made.out_mbps / 1000:.2f} Gbit/s", "states to subscribers, reports to senders"
    joins = f"{made.joins_per_hour:.0f} who join an hour, {made.findings_per_hour:.0f} findings"
    yield (
        "PostgreSQL",
        f"{made.writes:.1f} writes/s",
        f"{made.commits:.1f} commits/s, {made.connections} connections: {joins}, readiness probes",
    )
    yield "journal", f"{made.journal_gb_per_day:.2f} GB a day", f"its lock held {made.journal_share:.0%} of the time"


def _show_played(played: Sequence[Rehearsal], minutes: float) -> None:
    from monitor.cli.identities import print_table

    headings = ("what happens", "turned away", "refused", "shed", "unmonitored", "late", "light", "deaths")
    title = f"Simulated, {minutes:g} minutes: seconds of each participant's hour, mean and 95 % of {{}} repetitions"
    lines = [
        (
            one.name,
            _span(one.refused_visits, 100.0, " %"),
            *(_span(each, 1.0, " s") for each in (one.refused, one.shed, one.unmonitored, one.late, one.light)),
            f"{one.deaths:g}",
        )
        for one in played
    ]
    print_table(title.format(played[0].repetitions), headings, lines)
    typer.echo("What comes, dies and slows is assumed (docs/planning.md); an interval says nothing of that.")


def _span(interval: Interval, times: float, unit: str) -> str:
    middle = f"{times * interval.mean:.1f}"
    if interval.low is None or interval.high is None or interval.high == 0.0:
        return middle + unit
    return f"{middle}{unit} [{times * interval.low:.1f}-{times * interval.high:.1f}]"

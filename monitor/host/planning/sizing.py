"""How many machines a number of participants needs, from what one of them costs. Pure.

Two things fill a machine, and the plan names the one that binds: processor time, and how many participants one process
was seen to hold with young scores, which is less where they wait for each other. Nothing here is an estimate of a
machine that was not measured: another processor wants a benchmark of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import ceil, floor
from typing import Any, Final

from monitor.host.planning.costs import PlanError, UnitCosts

# Opus as browsers send it, and what IPv4, UDP, RTP with its extensions and SRTP add to a packet; packets a second of
# 720p30 with sound (ADR 25).
AUDIO_KBPS: Final = 40.0
PACKET_OVERHEAD_BYTES: Final = 58
PACKETS_PER_SECOND: Final = 214.0
# Receiver reports and what else goes back to the sender.
RETURN_SHARE: Final = 0.02
# Where a result does not say how long a state message is: with every detector's evidence.
DEFAULT_STATE_BYTES: Final = 3000.0
STATES_PER_SECOND: Final = 2.0
# Statements that write, of one transaction each (tests/monitor/host/planning/test_writes.py counts them).
CHANGE_STATEMENTS, SINK_STATEMENTS, TOKEN_STATEMENTS, PROBE_STATEMENTS = 3, 1, 2, 1
# How often a machine's readiness is asked for, which writes to the journal: the chart's period.
PROBE_SECONDS: Final = 10.0
# A sidecar keeps so many open, and takes thirty more under load (docs/databases.md).
CONNECTIONS: Final = 2
# A row of the journal with its evidence and conditions.
CHANGE_BYTES: Final = 6000.0
# Of a transaction that holds the one row by which findings are numbered.
COMMIT_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is taken to be so; shares are of 1.

    `participants` are those of whom `concurrency` are in calls at the busiest time. `speaking` is the share of that
    time in which somebody is judged, `claimed` those who claim an enrolled identity. `findings_per_hour` is per judged
    hour, `changes_per_finding` how often each is written. Everybody stays for `stay_minutes` and publishes with a token
    of their own. `headroom` is left free on every machine, `spare_machines` may fail at once. `light_saving` is what
    judging lightly takes off what one costs, where a fleet is simulated.
    """

    participants: int
    concurrency: float = 1.0
    speaking: float = 0.3
    claimed: float = 1.0
    findings_per_hour: float = 0.1
    changes_per_finding: float = 4.0
    stay_minutes: float = 30.0
    subscribers: int = 1
    sinks: int = 1
    headroom: float = 0.2
    spare_machines: int = 1
    machine_cores: int = 16
    light_saving: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What is needed; gigabytes are 1e9 bytes, rates are a second.

    A machine has `processes` that judge, and `per_machine` participants are planned for it; `bound` says what fills it.
    It takes in `places`, its headroom used up.
    `writes` are statements, `commits` transactions; `journal_share` is the part of the time in which the one row by
    which findings are numbered is locked: above 1 they cannot be written as fast as they come.
    """

    costs: UnitCosts
    assumed: Assumptions
    live: int
    cores_each: float
    bound: str
    per_machine: int
    places: int
    processes: int
    machines: int
    cores: int
    memory_gb_each: float
    memory_gb: float
    gpus: int
    in_mbps_each: float
    in_mbps: float
    out_mbps: float
    joins_per_hour: float
    findings_per_hour: float
    writes: float
    commits: float
    journal_share: float
    journal_gb_per_day: float
    connections: int

    @property
    def hosts(self) -> int:
        """Processes on all machines."""
        return self.machines * self.processes

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("costs", "assumed")}
        return {
            "costs": self.costs.as_json(),
            "assumptions": asdict(self.assumed),
            "needs": own | {"hosts": self.hosts},
        }

    def assumptions(self) -> Iterator[str]:
        """Say in sentences what this rests on."""
        yield from (*_measured(self), *_assumed(self.assumed), *self.costs.doubts)


def plan(costs: UnitCosts, assumed: Assumptions) -> FleetPlan:
    """Compute what is needed; raises `PlanError` where a machine could not hold one participant."""
    live = ceil(assumed.participants * assumed.concurrency)
    each = costs.claimed_cores - (1.0 - assumed.claimed) * min(costs.comparing_cores, costs.claimed_cores)
    per_machine, processes, bound = _machine(costs, assumed, each)
    places, _, _ = _machine(costs, replace(assumed, headroom=0.0), each)
    machines = ceil(live / per_machine) + assumed.spare_machines
    memory = (processes * (costs.idle_mb + costs.first_mb) + max(0, per_machine - processes) * costs.each_mb) / 1000.0
    in_mbps = (costs.video_kbps + AUDIO_KBPS + PACKETS_PER_SECOND * PACKET_OVERHEAD_BYTES * 8e-3) / 1000.0
    states = STATES_PER_SECOND * (costs.state_bytes or DEFAULT_STATE_BYTES) * 8e-6 * assumed.subscribers
    joins = live * 60.0 / assumed.stay_minutes
    findings = live * assumed.speaking * assumed.findings_per_hour
    changes, probes = findings * assumed.changes_per_finding / 3600.0, machines / PROBE_SECONDS
    told, tokens = changes * assumed.sinks, joins / 3600.0
    return FleetPlan(
        costs=costs,
        assumed=assumed,
        live=live,
        cores_each=each,
        bound=bound,
        per_machine=per_machine,
        places=max(per_machine, places),
        processes=processes,
        machines=machines,
        cores=machines * assumed.machine_cores,
        memory_gb_each=memory,
        memory_gb=memory * machines,
        gpus=machines if costs.on_gpu else 0,
        in_mbps_each=in_mbps * per_machine,
        in_mbps=in_mbps * live,
        out_mbps=(in_mbps * RETURN_SHARE + states) * live,
        joins_per_hour=joins,
        findings_per_hour=findings,
        writes=changes * CHANGE_STATEMENTS
        + told * SINK_STATEMENTS
        + tokens * TOKEN_STATEMENTS
        + probes * PROBE_STATEMENTS,
        commits=changes + told + tokens + probes,
        journal_share=(changes + probes) * COMMIT_SECONDS,
        journal_gb_per_day=changes * 86_400.0 * CHANGE_BYTES / 1e9,
        connections=machines * CONNECTIONS,
    )


def _machine(costs: UnitCosts, assumed: Assumptions, each: float) -> tuple[int, int, str]:
    """Give how many participants a machine holds in how many processes, and what binds."""
    cores, free = assumed.machine_cores, 1.0 - assumed.headroom
    if costs.on_gpu and (costs.held is None or cores != costs.held_cores):
        raise PlanError(
            f"{costs.source} was measured on a GPU, which is planned with as that machine was: measure with "
            f"--capacity, and leave --machine-cores at {costs.held_cores}"
        )
    processes = max(1, cores // costs.held_cores * costs.held_processes)
    by_time = floor((cores * free - processes * costs.idle_cores) / each)
    bounds = [(by_time, "processor time")]
    if costs.held is not None:
        bounds.append((floor(costs.held / costs.held_cores * cores * free), "how many the processes hold"))
    per_machine, bound = min(bounds)
    if per_machine < 1:
        raise PlanError(f"a machine of {cores} cores would hold nobody: give more --machine-cores, or less --headroom")
    return per_machine, min(processes, per_machine), bound


def _measured(plan: FleetPlan) -> Iterator[str]:
    costs = plan.costs
    yield f"Measured: {costs.source}, on {costs.machine}, engine {costs.engine}, a call of {costs.participants}."
    held = (
        "how many hold was not measured"
        if costs.held is None
        else f"{costs.held_processes} judging held {costs.held} on {costs.held_cores} cores, the sender beside them"
    )
    yield f"Of this machine's kind only: {held}; another processor wants a benchmark of its own."
    if not costs.on_gpu:
        yield "No GPU is needed. What one would carry was never measured: give --result of a machine that has one."


def _assumed(assumed: Assumptions) -> Iterator[str]:
    yield (
        f"Assumed: {assumed.concurrency:.0%} of the participants are in calls at the busiest time, for "
        f"{assumed.stay_minutes:g} minutes each; {assumed.claimed:.0%} claim an enrolled identity."
    )
    yield (
        f"Somebody is judged {assumed.speaking:.0%} of the time. Who is silent costs as much: pictures and sound are "
        "encoded all the same."
    )
    yield (
        f"{assumed.findings_per_hour:g} findings a judged hour (what `false_alerts_per_hour` promises at most for "
        f"genuine people), written {assumed.changes_per_finding:g} times each; {assumed.sinks} sinks, "
        f"{assumed.subscribers} subscribers who take every state, a token for each who joins."
    )
    yield (
        f"{assumed.headroom:.0%} of every machine of {assumed.machine_cores} cores is left free, and "
        f"{assumed.spare_machines} machines may fail; everybody is spread evenly over processes of their own."
    )
    yield (
        f"Judging lightly takes {assumed.light_saving:.0%} off what a participant costs."
        if assumed.light_saving
        else "Judging lightly saves nothing: what it does was not measured on a quiet machine (docs/benchmarks.md)."
    )
    yield (
        f"Not measured: {AUDIO_KBPS:g} kbit/s of sound, {PACKET_OVERHEAD_BYTES} bytes of headers a packet, "
        f"{CHANGE_BYTES / 1000:g} kB a row of the journal, {1000 * COMMIT_SECONDS:g} ms a commit."
    )

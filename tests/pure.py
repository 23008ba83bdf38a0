"""The pure core: the files that know no shell, and the tests that run every branch of them.

The one list of it: `tests/test_architecture.py` holds its imports against it, `make coverage` its branches.
`python -m tests.pure sources` and `python -m tests.pure tests` print what coverage and pytest are given.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PURE = (
    "monitor/types.py",
    "monitor/storage/tenancy/names.py",
    "monitor/alerts/retry.py",
    "monitor/tap/clip_time.py",
    "monitor/tap/clip_wire.py",
    "monitor/tap/sandbox/seccomp.py",
    "monitor/tap/media/clock.py",
    "monitor/tap/media/clock_line.py",
    "monitor/tap/media/downmix.py",
    "monitor/tap/media/entry_point.py",
    "monitor/tap/media/headers.py",
    "monitor/tap/media/least_delay.py",
    "monitor/tap/media/orientation.py",
    "monitor/tap/media/parameter_sets.py",
    "monitor/tap/media/platform_clock.py",
    "monitor/tap/delivery.py",
    "monitor/tap/rtp/candidates.py",
    "monitor/tap/rtp/h264_format.py",
    "monitor/tap/rtp/loss.py",
    "monitor/tap/rtp/plain_sdp.py",
    "monitor/tap/rtp/source_pin.py",
    "monitor/tap/rtp/selection.py",
    "monitor/tap/rtp/failure.py",
    "monitor/tap/rtp/sent.py",
    "monitor/tap/rtp/sdp.py",
    "monitor/tap/rtp/sdp_codecs.py",
    "monitor/tap/rtp/sdp_lines.py",
    "monitor/tap/rtp/sdp_parser.py",
    "monitor/session/obstacle.py",
    "monitor/session/rotation.py",
    "monitor/window/grid.py",
    "monitor/window/window.py",
    "monitor/window/doubts.py",
    "monitor/session/doubt.py",
    "monitor/window/spoken.py",
    "monitor/voice/near.py",
    "monitor/face/cadence.py",
    "monitor/face/registration.py",
    "monitor/face/expression.py",
    "monitor/face/stillness.py",
    "monitor/detectors",
    "monitor/decision",
    "monitor/host/cluster/clocks.py",
    "monitor/host/cluster/frames.py",
    "monitor/host/cluster/host_settings.py",
    "monitor/host/cluster/ledger.py",
    "monitor/host/cluster/liveness.py",
    "monitor/host/cluster/metrics.py",
    "monitor/host/cluster/outbox.py",
    "monitor/host/cluster/placement.py",
    "monitor/host/cluster/refusals.py",
    "monitor/host/cluster/rolling.py",
    "monitor/host/cluster/sizing.py",
    "monitor/host/cluster/values.py",
    "monitor/host/coverage.py",
    "monitor/host/departed.py",
    "monitor/host/peers/options.py",
    "monitor/host/peers/peer_view.py",
    "monitor/host/peers/sharing.py",
    "monitor/host/planning",
    "monitor/host/matrix_threads.py",
    "monitor/host/quota.py",
    "monitor/host/replacing.py",
    "monitor/host/shedding.py",
    "monitor/host/supervision.py",
    "monitor/alerts/chain.py",
    "monitor/alerts/casework/case.py",
    "monitor/alerts/casework/events.py",
    "monitor/alerts/casework/labels.py",
    "monitor/alerts/conditions.py",
    "monitor/alerts/disclosure.py",
    "monitor/alerts/finding.py",
    "monitor/alerts/policy/challenge.py",
    "monitor/alerts/policy/evaluate.py",
    "monitor/alerts/policy/explain.py",
    "monitor/alerts/policy/handling.py",
    "monitor/alerts/policy/message.py",
    "monitor/alerts/policy/quiet.py",
    "monitor/alerts/policy/rules.py",
    "monitor/alerts/policy/simulate.py",
    "monitor/alerts/policy/terms.py",
    "monitor/alerts/push.py",
    "monitor/alerts/report/causes.py",
    "monitor/alerts/report/content.py",
    "monitor/alerts/report/page.py",
    "monitor/alerts/report/pictures.py",
    "monitor/alerts/report/seal.py",
    "monitor/alerts/sinks/batch.py",
    "monitor/alerts/sinks/cef.py",
    "monitor/alerts/sinks/url.py",
    "monitor/api/hosts.py",
    "monitor/api/lobby.py",
    "monitor/api/access/claims.py",
    "monitor/api/access/grant.py",
    "monitor/api/access/lockout.py",
    "monitor/api/access/oidc/claims.py",
    "monitor/api/access/oidc/flow.py",
    "monitor/api/access/oidc/keys.py",
    "monitor/api/access/oidc/messages.py",
    "monitor/api/access/roles.py",
    "monitor/identity/claimed.py",
    "monitor/identity/names.py",
    "monitor/identity/vault/audit.py",
    "monitor/identity/vault/consent.py",
    "monitor/identity/vault/keys.py",
    "monitor/identity/vault/records.py",
    "monitor/identity/vault/sealing.py",
    "monitor/identity/vault/standing.py",
    "monitor/lab/bench/peer.py",
    "monitor/lab/metrics",
    "plugins/protocols/janus.py",
    "plugins/protocols/livekit",
    "plugins/protocols/whep.py",
    "plugins/protocols/zoom",
)


def mirror(source: str) -> Path:
    """Where the tests of a file or folder lie by the rule of the house."""
    path = Path("tests") / source
    return path.with_name(f"test_{path.name}") if path.suffix else path


def sources() -> list[str]:
    """The files of the core as patterns of coverage."""
    return [name if name.endswith(".py") else f"{name}/*" for name in PURE]


def tests() -> list[str]:
    """The test files and folders of the core. The parts of the SDP have none: its own test runs them.

    The tests of a file may go on in `test_NAME_*.py` beside their file, as `test_window_beside.py` does.
    """
    found = [path for path in map(mirror, PURE) if (ROOT / path).exists()]
    more = [
        path.relative_to(ROOT)
        for one in found
        if one.suffix
        for path in sorted((ROOT / one.parent).glob(f"{one.stem}_*.py"))
    ]
    return [str(path) for path in dict.fromkeys([*found, *more])]


if __name__ == "__main__":
    sys.stdout.write({"sources": ",".join(sources()), "tests": " ".join(tests())}[sys.argv[1]] + "\n")

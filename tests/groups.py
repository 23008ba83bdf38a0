"""Which tests `make quick` runs: those that need no media, no browser, no training and no process under load.

A folder belongs to one of the two groups as a whole; single files of a quick folder can be slow. Tests that ask for the
research clips are left out wherever they lie. `python -m tests.groups` prints the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUICK = (
    "tests",
    "tests/engines",
    "tests/engines/batching",
    "tests/engines/checks",
    "tests/engines/compose",
    "tests/engines/convert",
    "tests/engines/pool",
    "tests/engines/runtimes",
    "tests/engines/runtimes/tensorrt",
    "tests/engines/training",
    "tests/monitor",
    "tests/monitor/alerts",
    "tests/monitor/alerts/casework",
    "tests/monitor/alerts/policy",
    "tests/monitor/alerts/report",
    "tests/monitor/alerts/sinks",
    "tests/monitor/api/access",
    "tests/monitor/api/access/oidc",
    "tests/monitor/cli",
    "tests/monitor/host/cluster",
    "tests/monitor/decision",
    "tests/monitor/detectors",
    "tests/monitor/detectors/pairwise",
    "tests/monitor/detectors/persona",
    "tests/monitor/detectors/synchrony",
    "tests/monitor/detectors/voiceprint",
    "tests/monitor/face",
    "tests/monitor/host",
    "tests/monitor/host/peers",
    "tests/monitor/host/planning",
    "tests/monitor/identity/vault",
    "tests/monitor/lab",
    "tests/monitor/lab/corpus/datasets",
    "tests/monitor/lab/distortions",
    "tests/monitor/lab/metrics",
    "tests/monitor/lab/suite",
    "tests/monitor/storage",
    "tests/monitor/tap/media",
    "tests/monitor/tap/rtp",
    "tests/monitor/tap/sandbox",
    "tests/monitor/storage/tenancy",
    "tests/monitor/voice",
    "tests/monitor/window",
    "tests/fuzz",
    "tests/mutate",
    "tests/plugins",
    "tests/plugins/protocols",
    "tests/plugins/protocols/livekit",
    "tests/plugins/protocols/zoom",
)
# Folders and single files, with what makes them slow.
SLOW = {
    "tests/battery": "media",
    "tests/e2e": "a browser and real calls",
    "tests/engines/nets": "training",
    "tests/engines/runtimes/pytorch": "training",
    "tests/engines/convert/test_encoders.py": "training, media",
    "tests/engines/convert/test_torch_numbers.py": "training",
    "tests/engines/test_registry.py": "processes of its own",
    "tests/golden": "media",
    "tests/interop": "real calls with other people's programs",
    "tests/monitor/api": "a server and calls",
    "tests/monitor/identity": "media, processes that are killed",
    "tests/monitor/identity/enrolment": "media",
    "tests/monitor/host/cluster/test_fleet.py": "processes of its own",
    "tests/monitor/host/cluster/test_kill.py": "processes that are killed",
    "tests/monitor/host/cluster/test_tenants.py": "processes of its own",
    "tests/monitor/host/cluster/test_ray.py": "a cluster of its own",
    "tests/monitor/host/peers/test_adoption.py": "processes of its own",
    "tests/monitor/host/peers/test_anywhere.py": "processes of its own",
    "tests/monitor/host/peers/test_elsewhere.py": "processes of its own",
    "tests/monitor/host/peers/test_ending.py": "processes of its own",
    "tests/monitor/host/peers/test_links.py": "processes of its own",
    "tests/monitor/host/peers/test_gateways.py": "processes that are killed",
    "tests/monitor/host/peers/test_on_ray.py": "a cluster of its own",
    "tests/monitor/host/peers/test_shared_ways.py": "processes that are killed",
    "tests/monitor/lab/bench": "processes under load",
    "tests/monitor/lab/commands": "training",
    "tests/monitor/lab/corpus": "media",
    "tests/monitor/lab/evaluate": "media, worker processes",
    "tests/monitor/lab/studies": "media",
    "tests/monitor/lab/studies/persona": "media",
    "tests/monitor/lab/training": "training",
    "tests/monitor/session": "media",
    "tests/monitor/tap": "media, real calls",
    "tests/monitor/alerts/test_kill.py": "processes that are killed",
    "tests/monitor/alerts/test_failover.py": "a server that is killed",
    "tests/monitor/alerts/test_order.py": "processes that write at once",
    "tests/monitor/cli/test_db.py": "a server, and everything copied",
    "tests/monitor/alerts/sinks/test_flood.py": "processes that are killed",
    "tests/monitor/alerts/sinks/test_kill.py": "processes that are killed",
    "tests/monitor/window/test_stream_encoder.py": "training",
    "tests/test_errors.py": "imports everything, torch too",
    "tests/monitor/lab/corpus/datasets/test_registry.py": "clips that are evaluated",
    "tests/monitor/lab/test_engine_parity.py": "media, through every engine",
    "tests/monitor/detectors/test_seam.py": "every model of the sidecar",
    "tests/monitor/host/test_batched_models.py": "every model of the sidecar",
    "tests/monitor/host/test_sidecar.py": "every model of the sidecar",
    "tests/plugins/test_breaks.py": "real calls, ends that are killed",
    "tests/plugins/test_livekit.py": "real calls",
    "tests/plugins/test_livekit_media.py": "real calls",
    "tests/plugins/test_livekit_rooms.py": "real calls",
    "tests/plugins/test_package.py": "pip, processes of its own",
    "tests/plugins/test_rtp.py": "programs that send",
    "tests/plugins/test_whep.py": "real calls",
    "tests/plugins/test_zoom_rtms.py": "real calls",
    "tests/plugins/test_zoom_judged.py": "media, real calls",
    "tests/test_examples.py": "a server",
    "tests/test_extras.py": "media, processes of its own",
} | {
    f"tests/engines/training/test_{name}.py": "training"
    for name in (
        "agreement",
        "augment",
        "backbone",
        "capture",
        "export",
        "heads",
        "masked",
        "motion",
        "pairs",
        "persona",
        "pseudo",
        "speech",
        "validate",
        "voice_artefacts",
        "warm",
    )
}

# Files of more than fifteen seconds where three processes share the tests, the longest first; then those that look at
# the clock of real calls.
LONGEST = (
    "tests/monitor/host/cluster/test_ray.py",
    "tests/e2e/test_enroll.py",
    "tests/monitor/session/test_stillness.py",
    "tests/engines/convert/test_encoders.py",
    "tests/e2e/test_dashboard.py",
    "tests/e2e/test_twins.py",
    "tests/e2e/test_whole_way.py",
    "tests/battery/test_battery.py",
    "tests/e2e/test_sign_in.py",
    "tests/plugins/test_breaks.py",
    "tests/monitor/detectors/test_seam.py",
    "tests/monitor/lab/commands/test_train_persona.py",
    "tests/e2e/test_cases.py",
    "tests/monitor/api/test_enroller.py",
    "tests/engines/training/test_heads.py",
    "tests/monitor/lab/evaluate/test_run.py",
    "tests/monitor/identity/enrolment/test_enrol.py",
    "tests/engines/training/test_speech.py",
    "tests/monitor/session/test_clip.py",
    "tests/monitor/tap/test_webrtc.py",
    "tests/monitor/lab/bench/test_child.py",
    "tests/monitor/lab/evaluate/test_worker_pool.py",
    "tests/monitor/api/test_alerts.py",
    "tests/monitor/api/test_whip.py",
    "tests/e2e/test_pod.py",
    "tests/monitor/lab/bench/test_processes.py",
    "tests/monitor/lab/test_engine_parity.py",
    "tests/monitor/session/test_session.py",
    "tests/engines/test_registry.py",
    "tests/monitor/host/cluster/test_fleet.py",
    "tests/e2e/test_clock_skew.py",
    "tests/monitor/identity/test_voices.py",
    "tests/monitor/lab/corpus/test_motion_features.py",
    "tests/test_examples.py",
    "tests/monitor/api/test_identities.py",
    "tests/monitor/lab/commands/test_train_evaluate.py",
    "tests/engines/training/test_backbone.py",
    "tests/monitor/tap/test_bad_line.py",
    "tests/e2e/test_try.py",
    "tests/monitor/lab/evaluate/test_landmark_cadence.py",
    "tests/monitor/lab/evaluate/test_call_replay.py",
    "tests/monitor/alerts/test_failover.py",
    "tests/e2e/test_silence.py",
    "tests/e2e/test_connection.py",
    "tests/engines/runtimes/pytorch/test_engine.py",
    "tests/plugins/test_folder.py",
    "tests/e2e/test_clock_mute.py",
    "tests/monitor/cli/test_db.py",
    "tests/test_errors.py",
    "tests/monitor/cli/test_findings.py",
    "tests/engines/nets/test_persona.py",
    "tests/monitor/api/test_sign_in.py",
    "tests/monitor/lab/commands/test_train_faces.py",
    "tests/monitor/host/test_batched_models.py",
    "tests/monitor/identity/test_claims.py",
    "tests/monitor/cli/test_cli.py",
    "tests/monitor/lab/commands/test_train_synthetic_voice.py",
    "tests/monitor/api/test_tokens.py",
    "tests/plugins/test_zoom_rtms.py",
    "tests/monitor/host/cluster/test_renewal.py",
    "tests/interop/test_bad_lines.py",
    "tests/e2e/test_call.py",
)

# Where engines compute nothing twice (tests/shared_engines.py): neither where they are tested nor where their time is.
COMPUTED_ONCE = (
    "tests/battery",
    "tests/e2e/test_clock_mute.py",
    "tests/e2e/test_clock_skew.py",
    "tests/e2e/test_silence.py",
    "tests/engines/convert/test_encoders.py",
    "tests/monitor/detectors",
    "tests/monitor/face",
    "tests/monitor/host/test_rejoin.py",
    "tests/monitor/identity",
    "tests/monitor/lab/commands",
    "tests/monitor/lab/corpus",
    "tests/monitor/lab/evaluate",
    "tests/monitor/lab/studies",
    "tests/monitor/lab/test_engine_parity.py",
    "tests/monitor/lab/training",
    "tests/monitor/session",
    "tests/monitor/tap/test_bad_line.py",
    "tests/monitor/window",
)


def folders() -> set[str]:
    """Every folder that holds tests."""
    return {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}


def quick_files() -> list[str]:
    """The test files of the quick folders, less the slow ones."""
    files = (str(path.relative_to(ROOT)) for folder in QUICK for path in sorted((ROOT / folder).glob("test_*.py")))
    return [name for name in files if name not in SLOW]


def order(file: str) -> int:
    """Where a file stands where several processes share the tests: what takes long begins early, so that none waits."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def is_computed_once(file: str) -> bool:
    """Whether the tests of a file are given what was computed before for the same inputs."""
    return any(Path(file).is_relative_to(name) for name in COMPUTED_ONCE)


if __name__ == "__main__":
    sys.stdout.write(" ".join(quick_files()) + "\n")

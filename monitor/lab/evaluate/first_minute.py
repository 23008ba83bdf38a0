"""Measures what it costs, and what it saves, that two phases must agree in a participant's first minute.

    python -m monitor.lab.evaluate.first_minute MANIFEST CACHE

Every genuine clip is judged hop by hop and looped for two minutes, with its own voice and with that of the next
subject's clip. The p-values are decided on with the rule and without it. One line of JSON each goes to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import MODELS
from monitor.decision.calibration import Calibration, Doubles
from monitor.decision.decide import DecisionConfig
from monitor.decision.simulate import run
from monitor.detectors.synchrony.entry import load_calibration
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.voice_mismatch import EncodedClip
from monitor.lab.evaluate.worker_pool import WorkerOptions, encode_clips
from monitor.lab.metrics.intervals import wilson
from monitor.lab.progress import clip_progress
from monitor.lab.training.synchrony_background import windows

WINDOW_SECONDS = 5.0
CALL_SECONDS = 120.0
MINUTE_SECONDS = 60.0


def looped(clip: EncodedClip, voice: EncodedClip, calibration: Calibration, hops: int) -> Doubles | None:
    """P-values (hops,) of a clip's lips with a voice, over and over; None where no window of it can be judged."""
    count = min(len(clip.face), len(voice.speech))
    encoded = clip.lips[:count], clip.face[:count], voice.voice[:count], voice.speech[:count]
    scored = [hop for hop in windows(encoded, WINDOW_SECONDS) if hop.speech >= calibration.lengths[0]]
    if not scored:
        return None
    return np.resize([calibration.p_value(hop.value, hop.speech) for hop in scored], hops)


def measure(clips: Sequence[EncodedClip], calibration: Calibration, config: DecisionConfig) -> dict[str, Any]:
    """Count the genuine people alerted and the voices of others found, in the first minute and in two."""
    hops = round(CALL_SECONDS / config.hop_seconds)
    result: dict[str, Any] = {"first_seconds": config.first_seconds}
    for kind, voices in (("genuine", clips), ("other_voice", [*clips[1:], *clips[:1]])):
        streams = {
            (clip.clip, clip.subject): p_values
            for clip, voice in zip(clips, voices, strict=True)
            if (kind == "genuine" or voice.subject != clip.subject)
            and (p_values := looped(clip, voice, calibration, hops)) is not None
        }
        alerts = run(config, np.stack(list(streams.values()))).first_alert
        early = int((alerts < MINUTE_SECONDS).sum())
        times = [None if np.isnan(at) else float(at) for at in alerts]
        result[kind] = {
            "clips": len(streams),
            "people": len({subject for _, subject in streams}),
            "alerted_in_a_minute": early,
            "interval": [round(bound, 3) for bound in wilson(early, len(streams))],
            "alerted_in_two": int(np.isfinite(alerts).sum()),
            "people_alerted_in_a_minute": len(
                {subject for (_, subject), at in zip(streams, alerts, strict=True) if at < MINUTE_SECONDS}
            ),
            "seconds_to_alert": {f"p{share}": percentile(times, share / 100) for share in (25, 50, 75)},
        }
    return result


def main(manifest: Path, cache: Path) -> None:
    """Print the measures without the rule and with it."""
    rows = [row for row in read_manifest(manifest) if row.label == "real"]
    with clip_progress("encoding genuine clips", len(rows)) as tick:
        clips = encode_clips(rows, MODELS, WorkerOptions(cache, cache / "outcomes.jsonl"), tick)
    calibration = load_calibration()
    for seconds in (0.0, DecisionConfig().first_seconds):
        sys.stdout.write(json.dumps(measure(clips, calibration, DecisionConfig(first_seconds=seconds))) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

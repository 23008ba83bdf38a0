"""Synchrony in the registry: how it is loaded, and what of it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.base import MODELS, EngineError
from monitor.decision.calibration import Calibration
from monitor.detectors.check import Check, check_of
from monitor.detectors.packs import PackLoader, read_beside
from monitor.detectors.synchrony.info import INFO

if TYPE_CHECKING:
    from monitor.detectors.synchrony.familiar import FamiliarSpeech
    from monitor.detectors.synchrony.fusion import Fusion
    from monitor.detectors.synchrony.live import LoadedSynchrony

LIPS, VOICE = "speech_lips", "speech_voice"
CALIBRATION = "calibration.json"


class Synchrony:
    """See `monitor.detectors.base.Detector`."""

    info = INFO

    def load(self, packs: PackLoader) -> LoadedSynchrony:
        """Load the scores of genuine people, what their speech sounds like and the fusion; raises `EngineError`."""
        from monitor.detectors.synchrony.live import LoadedSynchrony

        fusion = load_fusion(packs.folder)
        return LoadedSynchrony(load_calibration(packs.folder), load_familiar(packs), packs.speech, fusion)

    def check(self, packs: Path) -> Iterator[Check]:
        """Say whether the score is calibrated."""
        try:
            tables = load_calibration(packs).tables
        except EngineError as error:
            yield check_of("calibration", error)
        else:
            missing = Check("calibration", "failed", "the shipped packs have none", "reinstall sidewitness")
            yield Check("calibration", "ok", "readable") if tables else missing

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """Say how many windows a person's own agreement rests on; nothing of the fingerprint of their recordings."""
        from monitor.detectors.synchrony.own import OwnAgreement

        own = OwnAgreement.from_bytes(part)
        return {"agreement_windows": 0 if own is None else own.windows}


def load_calibration(folder: Path = MODELS) -> Calibration:
    """Read the genuine background of the synchrony score, beside the lip encoder; raises `EngineError`.

    Encoders from elsewhere have none until `sidewitness train calibration` has made it: their calibration is empty,
    and every score stays inconclusive.
    """
    if not (folder / LIPS).exists():
        raise EngineError(f"no model pack in {folder / LIPS}: reinstall sidewitness, or name another folder")
    table = read_beside(folder / LIPS, CALIBRATION, lambda content: Calibration.from_json(json.loads(content)))
    return Calibration(()) if table is None else table


def load_fusion(folder: Path = MODELS) -> Fusion | None:
    """Read how measures are fused, beside the lip encoder; None where there is no such file; raises `EngineError`.

    The calibration of its brief windows is one of scores that were fused.
    """
    from monitor.detectors.synchrony.fusion import FILE, Fusion

    return read_beside(folder / LIPS, FILE, Fusion.from_bytes)


def load_familiar(packs: PackLoader) -> FamiliarSpeech | None:
    """Read what genuine speech sounds like to the voice encoder; raises `EngineError` where that cannot be read.

    None where there is no table, or one of another encoder: no sound is unusual then.
    """
    from monitor.detectors.synchrony.familiar import FILE, FamiliarSpeech

    table = packs.beside(VOICE, FILE, FamiliarSpeech.from_bytes)
    return table if table is None or packs.voice in (None, table.encoder) else None


DETECTOR = Synchrony()

"""The stream's own person becomes an enrolled one, in the benchmark's own vault, so that every detector has work.

    python -m monitor.lab.bench.enrolment CLIP ENGINE

A process of its own, with the benchmark's settings and none of the operator's: nothing here can reach another vault.
What is made is what `sidewitness enroll` makes, of less footage than that command asks of people: of the whole clip
that the stream was made of, since the stream itself is shorter than the speech by which a voice is learnt.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from engines.base import EngineError
from engines.registry import EngineName
from monitor.lab.bench.child import BenchError, die_with_parent, environment, last_line, spawn, stop

if TYPE_CHECKING:
    from monitor.session.session import ReferenceLookup

IDENTITY = "bench"
# The command asks for a minute: a reference of a loop costs a call as much as one of an hour.
FACE_SECONDS, SPEECH_SECONDS = 3.0, 2.0
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who participants of the benchmark claim to be, and what their reference holds."""

    identity: str
    looks: int
    movement: bool
    voice: bool


def state_of(folder: Path) -> Path:
    """Return the state directory of the benchmark's sidecars: its vault is where the person is enrolled."""
    return folder / "state"


async def enrol_clip(clip: Path, folder: Path, engine: str, settings: Mapping[str, str] = _NONE) -> Enrolled:
    """Enrol whoever is in a clip in the vault of `folder`, or of `settings`; raises `BenchError` if nobody is."""
    errors = folder / "enrolment.log"
    env = environment(SIDEWITNESS_STATE_DIR=str(state_of(folder)), **settings)
    child = await spawn("monitor.lab.bench.enrolment", str(clip), engine, errors=errors, env=env)
    try:
        output, _ = await child.communicate()
    finally:
        await stop(child)
    if child.returncode != 0:
        raise BenchError(last_line(errors))
    return Enrolled(**json.loads(output))


def enrol_here(clip: Path, engine: EngineName) -> Enrolled:
    """Enrol in the vault of this process's settings; raises `EnrolmentRefused` and what reading and engines raise."""
    from monitor.config import load
    from monitor.detectors.pairwise.live import LoadedPairwise
    from monitor.identity.enrolment.config import EnrolConfig
    from monitor.identity.enrolment.enrol import enrol
    from monitor.identity.vault.consent import resolve
    from monitor.identity.vault.open import open_vault
    from monitor.session.models import load_models

    settings, models = load(), load_models(engine)
    encoders = models.of(LoadedPairwise).encoders
    config = EnrolConfig(FACE_SECONDS, SPEECH_SECONDS, require_identity=encoders is not None and encoders.identifies)
    made = enrol([clip], models, config)
    now = datetime.now(UTC)
    consent = resolve(None, "the benchmark", required=True, days=settings.consent_days, now=now)
    vault = open_vault(settings)
    try:
        vault.store(IDENTITY, made.reference.to_bytes(), consent, "the benchmark")
    finally:
        vault.close()
    parts = made.reference.parts
    return Enrolled(IDENTITY, made.quality.gallery, "persona" in parts, "voiceprint" in parts)


def enrolled(identity: str | None) -> ReferenceLookup:
    """Return what a session asks for the reference of `identity`, from the vault of this process's settings."""
    from monitor.config import load
    from monitor.identity.vault.open import open_vault
    from monitor.identity.vault.registry import Identities

    return Identities(open_vault(load())).lookup(identity) if identity is not None else lambda: None


def main() -> int:
    """Enrol as the arguments say."""
    die_with_parent()
    from monitor.identity.enrolment.enrol import EnrolmentRefused
    from monitor.tap.media.source import SourceError

    clip, engine = sys.argv[1:]
    try:
        enrolled_person = enrol_here(Path(clip), engine)
    except EnrolmentRefused as refused:
        raise SystemExit(f"error: {refused.reasons[0]}") from None
    except (EngineError, SourceError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write(json.dumps(asdict(enrolled_person)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

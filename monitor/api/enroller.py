"""What an enrolment over the API does: the clips become a reference, the reference goes into the vault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engines.base import EngineError
from monitor.api.enrolments import Message, Order, Progress, Refused, Work
from monitor.face.outline import outline
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import EnrolmentRefused, enrol
from monitor.identity.vault.errors import KeysError, VaultError
from monitor.identity.vault.vault import Vault
from monitor.session.models import Models
from monitor.tap.media.source import SourceError

SEALING = "Sealing the reference"


def enroller(models: Models, vault: Vault, config: EnrolConfig | None = None) -> Work:
    """Return the work of the queue of enrolments; it raises `Refused` with what a person can mend."""

    def work(order: Order, clips: Sequence[Path], progress: Progress) -> Message:
        try:
            made = enrol(clips, models, config, progress)
        except EnrolmentRefused as refusal:
            raise Refused(refusal.reasons) from None
        except (SourceError, EngineError) as error:
            # Of an engine: a pack that is not installed, which the operator can mend.
            raise Refused([str(error)]) from None
        # The last moment at which it can still be stopped.
        progress(SEALING, 0.99)
        try:
            enrolled = vault.store(order.name, made.reference.to_bytes(), order.consent, order.actor, order.details)
        except KeysError:
            raise
        except VaultError as error:
            raise Refused([str(error)]) from None
        return {
            "quality": made.quality.as_json(),
            "poses": [outline(landmarks) for landmarks in made.poses],
            "enrolled": {"version": enrolled.version, "state": enrolled.state},
        }

    return work

"""How a host of a gateway judges: with models of its own, and with references and terms that it is given."""

from __future__ import annotations

from engines.base import MODELS
from engines.packs import installed
from monitor.config import Settings
from monitor.host.batched_models import BatchedModels
from monitor.host.cluster.far_gateway import FarVault
from monitor.host.judging import Judging, load, session_config, session_config_of, webrtc_answer
from monitor.session.session import Session
from monitor.storage.tenancy.names import inside, outside
from monitor.types import ParticipantKey


def judging(settings: Settings, vault: FarVault) -> Judging:
    """Load the models and say how participants are judged; raises `EngineError` or `ConfigError`."""
    models = load(settings)
    batched = BatchedModels(models) if settings.batches else None
    config = session_config(settings)
    packs = {pack.manifest.name: pack.manifest.sha256 for pack in installed(settings.packs or MODELS)}

    def session(key: ParticipantKey) -> Session:
        reference = vault.reference(inside(outside(key.call)[0], key.identity)) if key.identity is not None else None
        by = session_config_of(config, vault.terms(key))
        return Session(key, batched.models() if batched else models, by, reference)

    return Judging(
        session,
        webrtc_answer(settings),
        models,
        batched,
        warm_up=models.later.prepare,
        claimed=vault.claimed,
        packs=packs,
    )

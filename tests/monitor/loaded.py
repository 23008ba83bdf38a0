"""Models with a detector changed: what a test puts in place of one that is installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.detectors.base import LoadedDetector
from monitor.detectors.pairwise.live import LoadedPairwise
from monitor.detectors.pairwise.population import Population
from monitor.detectors.persona.detector import PersonaPeople
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.live import LoadedPersona
from monitor.session.models import Models


def pairwise(models: Models) -> LoadedPairwise:
    """The detector of faces."""
    return models.of(LoadedPairwise)


def persona(models: Models) -> LoadedPersona:
    """The detector of movement."""
    return models.of(LoadedPersona)


def with_detector(models: Models, changed: LoadedDetector) -> Models:
    """The same models with another detector of this name."""
    name = changed.info.name
    return replace(models, detectors=tuple(changed if d.info.name == name else d for d in models.detectors))


def with_faces(models: Models, encoders: Any, population: Any = ...) -> Models:
    """The same models with other encoders of faces, and another population where one is given."""
    loaded = pairwise(models)
    return with_detector(models, LoadedPairwise(encoders, loaded.population if population is ... else population))


def with_population(models: Models, population: Population | None) -> Models:
    """The same models with another population."""
    return with_detector(models, replace(pairwise(models), population=population))


def with_movement(models: Models, engines: PersonaEngines | None, people: PersonaPeople | None = None) -> Models:
    """The same models with other models of movement."""
    return with_detector(models, LoadedPersona(engines, people))

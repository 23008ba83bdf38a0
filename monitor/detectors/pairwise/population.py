"""What is known of people in general, beside the pack of the backbone: the pair model, and genuine scores by person.

Plain arrays, made by `sidewitness train pairs` from genuine recordings only. The invariant: a p-value compares with
people, each weighing the same, and never goes below 1 / (people + 1).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.decision.calibration import Calibration, CalibrationError
from monitor.detectors.pairwise.measures import MEASURES
from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.pair_features import FEATURES, Feature
from monitor.detectors.usual import usual_sizes

SCHEMA = 1
FILE = "population.npz"
# Evidence that is shown apart. The first two are against the gallery, the last against this call's own start.
COMPONENTS = ("identity", "artefact", "within_call")
WITHIN = 2
# One length: a score is of one window.
_LENGTH_WINDOWS = 1.0

NUMBERS = ("location", "scale", "shift", "session", "condition", "scores")

Doubles = NDArray[np.float64]


class PopulationError(SidewitnessError):
    """The population of a pack cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Genuine people as one pair of packs sees them.

    `key` is that of the encoders. `location` and `scale` (M,) say what the measures are within one recording of a
    person, `shift` and `session` (M,) what another recording of the same person adds to either; `condition` (C,) is
    the spread of each condition. `mixture` is of differences of averaged looks, `published` of DiffFake's pair features
    of kind `kind`, which only evaluation uses. `scores` (W, 3) are standardised genuine components in the order of
    `COMPONENTS`, NaN where one is missing, of the people `person` (W,), counted from 0.
    """

    key: str
    kind: Feature
    mixture: Mixture
    published: Mixture
    location: Doubles
    scale: Doubles
    shift: Doubles
    session: Doubles
    condition: Doubles
    scores: Doubles
    person: NDArray[np.int64]
    usual: Doubles = field(init=False)
    _tables: dict[tuple[int, ...], Calibration | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Work out where genuine people usually end, each weighing the same."""
        object.__setattr__(self, "usual", usual_sizes(self.scores, self.person))

    @property
    def people(self) -> int:
        """How many people gave scores."""
        return len(np.unique(self.person))

    def fits(self, key: str) -> bool:
        """Say whether this holds for vectors of these encoders: the same, or the same without the second."""
        return key in (self.key, self.key.split("-")[0] + "-")

    def value(self, components: Doubles, counted: Sequence[int]) -> float:
        """Make one number of the counted of the components (3,): what the detector's score is.

        Each is brought to its usual size. Those against the gallery are averaged: two views of one question, each with
        noise of its own. The larger of that and of the change within the call is taken: two questions.
        """
        return float(self._values(np.asarray(components, np.float64)[None], tuple(counted))[0])

    def p_value(self, components: Doubles, counted: Sequence[int], once: bool = False) -> float | None:
        """Say how often a genuine person's value of the same components is at least this one: in (0, 1].

        What is counted together is compared with the same together, so that nothing is lost to counting components
        apart. None where too few people are known.
        """
        table = self._table(tuple(counted))
        return None if table is None else table.p_value(self.value(components, counted), _LENGTH_WINDOWS, once)

    def left_out(self, counted: Sequence[int]) -> tuple[Doubles, NDArray[np.int64]] | None:
        """Say how often other people's values are at least that of each genuine window (W,), and whose each is.

        None where too few people are known.
        """
        table = self._table(tuple(counted))
        return None if table is None else table.leave_one_out(_LENGTH_WINDOWS)

    def _values(self, components: Doubles, counted: tuple[int, ...]) -> Doubles:
        scaled = components / self.usual
        against = [n for n in counted if n != WITHIN]
        parts = [scaled[:, against].mean(1)] if against else []
        parts += [scaled[:, WITHIN]] if WITHIN in counted else []
        return np.asarray(np.max(parts, axis=0), np.float64)

    def _table(self, counted: tuple[int, ...]) -> Calibration | None:
        if counted not in self._tables:
            finite = np.isfinite(self.scores[:, counted]).all(1)
            values = self._values(self.scores[finite], counted) if finite.any() else np.zeros(0)
            try:
                table = Calibration.build({_LENGTH_WINDOWS: (values, [str(p) for p in self.person[finite]])})
            except CalibrationError:
                self._tables[counted] = None
            else:
                self._tables[counted] = table
        return self._tables[counted]

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in NUMBERS}
        arrays |= {f"mixture_{name}": array for name, array in self.mixture.arrays().items()}
        arrays |= {f"published_{name}": array for name, array in self.published.arrays().items()}
        np.savez_compressed(
            file,
            schema=np.array(SCHEMA),
            key=np.array(self.key),
            kind=np.array(self.kind),
            measures=np.array(MEASURES),
            person=self.person,
            **arrays,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Population:
        """Read what `to_bytes` wrote; raises `PopulationError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return _read(dict(file))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise PopulationError(
                f"the population cannot be read ({type(error).__name__}): make it again (train pairs)"
            ) from None


def _read(arrays: dict[str, Any]) -> Population:
    if int(arrays["schema"]) != SCHEMA or tuple(arrays["measures"].tolist()) != MEASURES:
        raise ValueError("schema")
    kind = next(feature for feature in FEATURES if feature == str(arrays["kind"]))
    mixture, published = (
        Mixture.from_arrays({name: arrays[f"{part}_{name}"] for name in Mixture.NAMES})
        for part in ("mixture", "published")
    )
    numbers = {name: np.asarray(arrays[name], np.float64) for name in NUMBERS}
    return Population(
        key=str(arrays["key"]),
        kind=kind,
        mixture=mixture,
        published=published,
        person=np.asarray(arrays["person"], np.int64),
        **numbers,
    )

"""What the scores of one hop are worth as bets: each alone, all together, and those of brief windows. Pure.

E-values are averaged where nothing is known of how they depend on each other, which is valid always, and multiplied
over what of somebody they look at (`Aspect`), which is valid where these are independent while the participant is
genuine: face, voice, movement and lips are recorded by other devices, encoded by other networks and compared with
other people. That is an assumption, measured by `monitor.lab.evaluate.claimed` and not shown; it is held off by the
weight of the detectors that stand alone beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.decision.evalues import VOICE_STAKES, VOICE_STEPS, claimed, combine, power, shaped
from monitor.types import Aspect, Reason, Score

# Of a factor that stays in hand: lips and manner may fit whoever it is, and then must not make up for face and voice.
IN_HAND: dict[Aspect | None, float] = {Aspect.LIPS: 0.5, Aspect.MOVEMENT: 0.5}


@dataclass(frozen=True, slots=True)
class Bet:
    """E-values of a hop's whole and brief windows, None where nothing was judged, and what the largest rests on.

    `alone` are those of detectors that compare with a reference, by name: half of the stake on the least p-values, so
    that a genuine person with one peculiar window in four is not accused by chance; of a voice all of it, since a clone
    under a face and lips that fit is told by nothing else.
    """

    windows: float | None
    brief: float | None
    blame: Reason | None
    alone: Mapping[str, float] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """Whether anything was judged."""
        return self.windows is not None or self.brief is not None


def weigh(scores: Sequence[Score], kappa: float) -> Bet:
    """Weigh the scores of the detectors that take part; one that abstains on this window is a neutral bet.

    `kappa` shapes the bets of detectors that compare with no reference.
    """
    brief = [(None if s.brief.p_value is None else shaped(s.brief.p_value), s) for s in scores if s.brief is not None]
    compared = [(_bet_on(s.p_value, s), s) for s in scores if s.p_value is not None and _is_compared(s)]
    plain = [(None if s.p_value is None else power(s.p_value, kappa), s) for s in scores if _is_plain(s)]
    together = _product([*compared, *_beside(scores, bool(compared))])
    silent = any(_is_compared(s) and s.p_value is None for s in scores)
    groups = [value for value, _ in plain] + ([together] if compared or silent else [])
    windows, short = combine(groups) if groups else None, combine([value for value, _ in brief]) if brief else None
    value, strongest = max(
        ((v or 0.0, s.cause) for v, s in (*compared, *plain, *brief)), key=lambda pair: pair[0], default=(0.0, None)
    )
    suspicious = max(windows or 0.0, short or 0.0, *(v for v, _ in compared), 0.0) > 1.0 and value > 1.0
    alone = {s.detector: v if _is_of_voice(s) else (v + power(s.p_value or 1.0, kappa)) / 2 for v, s in compared}
    return Bet(windows, short, strongest if suspicious else None, alone)


def _bet_on(p_value: float, score: Score) -> float:
    """Bet on a comparison: the steps of a voice are those of its table."""
    return claimed(p_value, VOICE_STEPS, VOICE_STAKES) if _is_of_voice(score) else claimed(p_value)


def _is_of_voice(score: Score) -> bool:
    return score.aspect is Aspect.VOICE


def _is_compared(score: Score) -> bool:
    """Whether it looks at one aspect of somebody, against their reference."""
    return score.needs_identity and score.aspect is not None and score.brief is None


def _is_plain(score: Score) -> bool:
    return score.brief is None and not _is_compared(score)


def _beside(scores: Sequence[Score], is_compared: bool) -> list[tuple[float, Score]]:
    """Give the whole windows of what otherwise bets by brief ones, where something is compared in this window."""
    return [
        (claimed(s.p_value), s)
        for s in scores
        if is_compared and s.brief is not None and s.aspect is not None and s.p_value is not None
    ]


def _product(bets: Sequence[tuple[float, Score]]) -> float | None:
    """Multiply over the aspects; within one, where nothing is known of how they depend on each other, average."""
    of_aspect: dict[Aspect | None, list[float]] = {}
    for value, score in bets:
        of_aspect.setdefault(score.aspect, []).append(value)
    factors = [_hedged(aspect, sum(values) / len(values)) for aspect, values in of_aspect.items()]
    return math.prod(factors) if factors else None


def _hedged(aspect: Aspect | None, value: float) -> float:
    in_hand = IN_HAND.get(aspect, 0.0)
    return in_hand + (1.0 - in_hand) * value

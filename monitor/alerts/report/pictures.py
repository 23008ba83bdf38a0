"""The pictures of a report as SVG, drawn from what a finding keeps: numbers over time, and no face. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 34, 14, 26
LEAST_STATISTIC = 0.1

Points = Sequence[tuple[float, float]]


def score_strip(conditions: Mapping[str, Any]) -> str:
    """Draw the evidence of the last minute on a logarithmic axis, with the alert level; empty without points."""
    threshold = conditions.get("threshold") or 0.0
    raw = [(at, value) for at, value, *_ in conditions.get("points", ()) if _is_number(value)]
    if not raw or not threshold > 0.0:
        return ""
    points = [(float(at), math.log10(max(value, LEAST_STATISTIC))) for at, value in raw]
    level = math.log10(threshold)
    low, high = -1.0, math.ceil(max(level + 1.0, *(value for _, value in points)))
    x, y = _scale(-60.0, 0.0, LEFT, WIDTH - RIGHT), _scale(low, high, HEIGHT - BOTTOM, TOP)
    marks = [_text(LEFT - 6, y(exponent) + 4, _power(exponent), "end") for exponent in range(0, int(high) + 1, 2)]
    marks += [_text(x(at), HEIGHT - 8, f"{at:.0f} s" if at else "change", "middle") for at in (-60.0, -30.0, 0.0)]
    alert = f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
    label = _text(LEFT + 4, y(level) - 5, "alert level", "start")
    words = f"Evidence in the minute before: highest {max(value for _, value in raw):.3g}, alert at {threshold:.3g}"
    return _svg(words, [*marks, alert, label, _line([(x(at), y(value)) for at, value in points])])


def offset_curve(evidence: Mapping[str, Any]) -> str:
    """Draw how well the lips fit the voice at each shift in time; empty where that was not measured."""
    offsets, agreement = evidence.get("offsets_ms", ()), evidence.get("agreement", ())
    points = [(float(o), float(a)) for o, a in zip(offsets, agreement, strict=False) if _is_number(o) and _is_number(a)]
    if len(points) < 2:
        return ""
    values = [value for _, value in points]
    low, high = min(-0.2, *values), max(0.6, *values)
    x = _scale(min(offsets), max(offsets), LEFT, WIDTH - RIGHT)
    y = _scale(low, high, HEIGHT - BOTTOM, TOP)
    best = max(points, key=lambda point: point[1])
    marks = [_text(LEFT - 6, y(value) + 4, f"{value:.1f}", "end") for value in (0.0, 0.2, 0.4, 0.6)]
    marks += [_text(x(at), HEIGHT - 8, f"{at:+.0f} ms", "middle") for at in (-400.0, 0.0, 400.0)]
    dot = f'<circle class="dot" cx="{x(best[0]):.1f}" cy="{y(best[1]):.1f}" r="4"/>'
    words = f"Agreement of lips and voice by shift in time: best {best[1]:.2f} at {best[0]:+.0f} ms"
    return _svg(words, [*marks, _line([(x(at), y(value)) for at, value in points]), dot])


def movement_timeline(evidence: Mapping[str, Any]) -> str:
    """Draw how unlike the person each moment moved, 1 being what one in ten genuine people exceeds; may be empty."""
    moments = evidence.get("timeline", ())
    points = [
        (float(m["at"]), float(m["value"])) for m in moments if _is_number(m.get("at")) and _is_number(m["value"])
    ]
    if len(points) < 2:
        return ""
    first, last = points[0][0], points[-1][0]
    high = max(2.0, *(value for _, value in points))
    x, y = _scale(first, last, LEFT, WIDTH - RIGHT), _scale(0.0, high, HEIGHT - BOTTOM, TOP)
    level = f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(1.0):.1f}" y2="{y(1.0):.1f}"/>'
    marks = [_text(LEFT - 6, y(value) + 4, f"{value:.0f}", "end") for value in (0.0, 1.0, 2.0)]
    marks += [_text(x(at), HEIGHT - 8, f"{at:.0f} s", "middle") for at in (first, last)]
    words = f"Movement unlike the enrolled person over {last - first:.0f} s: highest {max(v for _, v in points):.1f}"
    return _svg(words, [*marks, level, _line([(x(at), y(value)) for at, value in points])])


def _svg(words: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}" xmlns="http://www.w3.org/2000/svg">'
    frame = f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    return "".join((head, frame, *parts, "</svg>"))


def _line(points: Points) -> str:
    return '<path class="line" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + '"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _power(exponent: int) -> str:
    return f"{10**exponent:,}" if exponent < 6 else f"1e{exponent}"


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._per = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._per


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    return _Scale(low, high, start, end)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)

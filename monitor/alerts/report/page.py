"""A report as one HTML document that needs nothing else and prints on A4: words, tables, SVG, no script. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from monitor.alerts.report.content import Content, Source, written
from monitor.alerts.report.pictures import movement_timeline, offset_curve, score_strip

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1.5rem; color: #17212b; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid #b9c3cd; padding-bottom: .15rem; }
.claim { font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dbe1e7; vertical-align: top; }
th { color: #566370; font-weight: 600; }
code { font: .85em ui-monospace, Menlo, Consolas, monospace; }
figure { margin: .8rem 0; break-inside: avoid; }
figcaption, footer { color: #566370; font-size: .85rem; }
svg { width: 100%; height: auto; }
svg text { font-size: 11px; fill: #566370; }
svg .base { stroke: #b9c3cd; } svg .level { stroke: #b3261e; stroke-dasharray: 5 4; }
svg .line { fill: none; stroke: #1d4f91; stroke-width: 2; } svg .dot { fill: #fff; stroke: #1d4f91; stroke-width: 2.5; }
@page { size: A4; margin: 18mm; }
@media print { body { padding: 0; max-width: none; } h2 { break-after: avoid; } tr, li { break-inside: avoid; } }
""".strip()
# Nothing of it runs or is fetched, wherever it is opened.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CAPTIONS = {
    "strip": "The evidence gathered in the minute before, on a logarithmic axis, and the alert level.",
    "curve": "Lips against voice, shifted in time. Genuine speech makes one clear peak at a steady delay.",
    "timeline": "How unlike the enrolled person each moment moved; one in ten genuine people exceeds the line.",
}


def render(source: Source, data: Mapping[str, Any]) -> str:
    """Return the document without its signature; `data` is put into it as JSON, for who checks it."""
    content = written(source)
    parts = [
        f"<h1>{escape(content.title)}</h1>",
        f'<p class="claim">{escape(content.claim)}</p>',
        *(f"<p>{escape(text)}</p>" for text in content.sure),
        _section("The finding", _table((), content.facts)),
        _section("What was seen", _table(("detector", "score", "p-value", "how rare"), content.measures)),
        *_figures(content),
        _section("In what conditions", _table(("", "then", "in the minute before"), content.conditions)),
        _section("What could also explain it", _list(content.others)),
        _section("What was not looked at", _list(content.unseen)),
        _section("How to verify on another channel", _list(content.channel, "ol")),
        _section("Who was told, and what was done", _table(("time", "by", "what"), content.history)),
        _section("Calibrated against", _calibrations(source)),
        _section("Model packs", _packs(source)),
        _section("The logs it is from", _chains(source)),
        _footer(source),
    ]
    embedded = json.dumps(data, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(content.title)}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *parts,
            f'</main><script type="application/json" id="evidence">{embedded}</script></body></html>',
            "",
        ]
    )


def _figures(content: Content) -> list[str]:
    evidence = content.pictures.get("evidence", {})
    drawn = {
        "strip": score_strip(content.pictures.get("conditions", {})),
        "curve": offset_curve(evidence.get("synchrony", {})),
        "timeline": movement_timeline(evidence.get("persona", {})),
    }
    return [f"<figure>{svg}<figcaption>{CAPTIONS[name]}</figcaption></figure>" for name, svg in drawn.items() if svg]


def _calibrations(source: Source) -> str:
    rows = [
        (
            note.detector,
            "not known" if note.people is None else f"{note.people} genuine people",
            note.pack,
            note.version,
        )
        for note in source.calibrations
    ]
    made = [
        (detector, str(parts["made"]))
        for detector, parts in source.changes[0].evidence.items()
        if isinstance(parts, Mapping) and parts.get("made")
    ]
    references = _list(
        [f"{source.detectors.get(name, name)}: the person's reference was made {at}." for name, at in made]
    )
    return _table(("detector", "against", "pack", "version"), rows) + (references if made else "")


def _packs(source: Source) -> str:
    rows = [
        (pack.name, pack.version, pack.licence, pack.sha256, "" if pack.is_installed else "another is installed now")
        for pack in source.packs
    ]
    return _table(("pack", "version", "licence", "SHA-256 of the model", ""), rows)


def _chains(source: Source) -> str:
    rows = [(note.log, str(note.rows), note.head, "; ".join(note.faults) or "holds") for note in source.chains]
    return _table(("log", "rows", "hash of the last", "chain"), rows)


def _footer(source: Source) -> str:
    made = source.made.strftime("%-d %B %Y, %H:%M:%S UTC")
    return (
        f"<footer><p>Made {made} by sidewitness {escape(source.version)}. It holds no media and no vectors. Its last "
        "line is a signature (Ed25519) of everything above it: <code>sidewitness findings verify FILE</code> checks "
        "it, and the chain.</p></footer>"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _list(texts: Iterable[str], kind: str = "ul") -> str:
    return f"<{kind}>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + f"</{kind}>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    head = "<tr>" + "".join(f"<th scope='col'>{escape(text)}</th>" for text in headings) + "</tr>" if headings else ""
    lines = ("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table>{head}{''.join(lines)}</table>"

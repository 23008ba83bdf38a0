"""The figures of each part as lines of Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out a table."""
    return [_line(head), "|" + "---|" * len(head), *(_line(row) for row in rows)]


def sources(figures: Figures) -> list[str]:
    """Show AUC by kind of source: a row for each set of people, a column for each length and knowledge."""
    columns = [name for name in figures["rows"][0] if name != "people"]
    longest = columns[-1]
    rows = [
        (
            row["people"].replace("_", " "),
            f"{row[longest]['n']} / {row[longest]['clips']} / {row[longest]['windows']}",
            *(_area(row[column]) for column in columns),
        )
        for row in figures["rows"]
    ]
    return grid(("people", f"people / clips / windows, {longest.split(',')[0]}", *columns), rows) + _left_out(figures)


def scan(figures: Figures) -> list[str]:
    """Show the share of genuine recordings called suspect, judged by other sources and by everybody else."""
    pairs = zip(figures["source left out"], figures["person left out"], strict=True)
    rows = [
        (
            row["people"].replace("_", " "),
            f"{row['n']} / {row['judged']} of {row['clips']}",
            f"{row['suspect']}, {row['alert']}",
            _share(row, "share", "low", "high"),
            _share(other, "share", "low", "high"),
        )
        for row, other in pairs
    ]
    head = ("people", "people / clips judged", "suspect, of these alert", "suspect, source left out", "person left out")
    return grid(head, rows) + _left_out(figures)


def alerts(figures: Figures) -> list[str]:
    """Show false alerts an hour and the share of people alerted in ten minutes, by source."""
    pairs = zip(figures["source left out"], figures["person left out"], strict=True)
    rows = [
        (
            row["people"].replace("_", " "),
            f"{row['n']}",
            _rate(row),
            f"{_share(row, 'share', 'share_low', 'share_high')}, {row['alerted']}",
            _rate(other),
            f"{_share(other, 'share', 'share_low', 'share_high')}, {other['alerted']}",
        )
        for row, other in pairs
    ]
    ten = "alerted in 10 minutes, people ever"
    head = ("people", "n", "false alerts an hour, source left out", ten, "an hour, person left out", ten)
    return [*grid(head, rows), "", f"Allowed: {figures['allowed']:g} an hour.", *_left_out(figures)]


def dubs(figures: Figures) -> list[str]:
    """Show the time to a finding in dubs, by source of the lips."""
    rows = [
        (
            row["people"].replace("_", " "),
            f"{row['dubs']} / {row['n']}",
            _seconds(row["suspect_p50"]),
            _seconds(row["alert_p50"]),
            _share(row, "in_a_minute", "low", "high"),
        )
        for row in figures["rows"]
    ]
    head = ("people", "dubs / people", "to `suspect`, p50", "to the alert, p50", "alerted within 60 s")
    return [*grid(head, rows), "", f"At {figures['allowed']:g} false alerts an hour.", *_left_out(figures)]


def voices(figures: Figures) -> list[str]:
    """Show AUC by window length and kind of wrong voice."""
    kinds = list(figures["kinds"])
    rows = [
        (f"{length}", *(_area(figures["kinds"][kind][length]) for kind in kinds), _windows(figures, length))
        for length in figures["kinds"][kinds[0]]
    ]
    return grid(("window", *(f"AUC {kind}" for kind in kinds), "windows / people"), rows)


def forgeries(figures: Figures) -> list[str]:
    """Show AUC by method of forgery, all of them last."""
    rows = [(name, f"{row['fake']}", _area(row)) for name, row in figures["methods"].items() if row["auc"] is not None]
    everything = figures["all"]
    rows.append(("**all**", f"{everything['fake']}", f"**{_area(everything)}**"))
    reasons = ", ".join(f"{count} {reason}" for reason, count in everything["reasons"].items())
    note = f"Against {everything['real']} genuine clips; abstained on {everything['abstained']}: {reasons or 'none'}."
    return [*grid(("method", "n", "AUC [95 %]"), rows), "", note]


def promise(figures: Figures) -> list[str]:
    """Show how the shipped calibration keeps its promise on its own people, each judged by the others."""
    head = ("allowed an hour", "measured [95 %]", "people / hours each", "people with any", "mean e-value")
    row = (
        f"{figures['allowed']:g}",
        f"{figures['per_hour']:.3f} [{figures['low']:.3f}-{figures['high']:.3f}]",
        f"{figures['people']} / {figures['hours']:.0f}",
        f"{100 * figures['alerted']:.0f} %",
        f"{figures['mean_e_value']:.2f}",
    )
    return grid(head, [row])


def live(figures: Figures) -> list[str]:
    """Show replayed calls: genuine ones with their false alerts, dubs with their times."""
    genuine, forged = figures["genuine"], figures["forged"]
    low, high = (_number(genuine[end], 1) for end in ("low", "high"))
    rate = f"{_number(genuine['false_alerts_per_hour'], 1)} [{low}-{high}]"
    times = " / ".join(_seconds(forged[f"time_to_alert_{share}"]) for share in ("p50", "p95"))
    rows = [
        ("genuine", *_calls(genuine), f"{genuine['subjects_alerted']}", rate, "", _percent(genuine["abstained_share"])),
        ("dubbed", *_calls(forged), f"{forged['alerted']}", "", times, _percent(forged["abstained_share"])),
    ]
    head = ("calls", "n / people", "hours", "alerted", "false alerts an hour [95 %]", "to alert p50 / p95", "abstained")
    return grid(head, rows)


def robustness(figures: Figures) -> list[str]:
    """Show mean areas under each perturbation, and by how much they fall from clean."""
    tasks = figures["tasks"]
    kinds = list(next(iter(tasks.values()))["kinds"])
    rows = [
        (
            name,
            _number(task["clean"]),
            *(_number(task["kinds"][kind]) for kind in kinds),
            _number(task["mean"]),
            _fall(task),
            _fall(task["strict"]),
        )
        for name, task in tasks.items()
    ]
    head = ("mean AUC of 5 levels", "clean", *kinds, "all", "falls by (points) [95 %]", "strict")
    counted = next(iter(tasks.values()))
    return [*grid(head, rows), "", f"{counted['real']} windows of {counted['subjects']} people."]


def blends(figures: Figures) -> list[str]:
    """Show areas of blends as the pack records them, and how often genuine faces that were re-encoded pass."""
    areas = ("auc", "auc_whole", "auc_eyes", "auc_lower", "auc_jawline", "within_pair")
    head = ("pictures", "all", "whole face", "eyes", "lower face", "jawline", "within pair", "n")
    rows = [
        (name, *(_number(figures[name][area]) for area in areas), f"{figures[name]['faces']:.0f}")
        for name in ("clean", "degraded")
    ]
    passing = ", ".join(f"{name} {_percent(share, 1)}" for name, share in figures["re-encoded"].items())
    return [*grid(head, rows), "", f"Genuine faces only re-encoded that pass the threshold: {passing}."]


def identity(figures: Figures) -> list[str]:
    """Show error rates of the identity encoder on drawn pairs and on every pair."""
    rows = []
    for name, label in (("pairs", "drawn pairs"), ("every_pair", "every pair")):
        row = figures[name]
        spans = [row[f"fnmr_at_fmr_{point}"] for point in ("0.01", "0.001")]
        shares = [_share(span, "fnmr", "low", "high") if span["resolved"] else "-" for span in spans]
        eer = f"{_percent(row['eer'], 1)}" + (
            f" [{100 * row['eer_low']:.1f}-{100 * row['eer_high']:.1f}]" if "eer_low" in row else ""
        )
        rows.append((label, f"{row['same']} / {row['different']}", eer, *shares))
    note = f"{figures['photos']} photos of {figures['people']} people, {figures['refused']} gave no face."
    head = ("", "same / different", "EER [95 %]", "FNMR at FMR 1 %", "FNMR at FMR 0.1 %")
    return [*grid(head, rows), "", note]


def matched(figures: Figures) -> list[str]:
    """Show paired wins and areas of forged clips beside the same person's genuine ones."""
    rows = []
    for method, scores in figures["methods"].items():
        main, other = scores["pairwise"], scores["re-encoded"]
        rows.append(
            (
                method,
                f"{main['forged_clips']} / {main['people']}",
                _span(main, "wins"),
                _span(main, "auc"),
                _number(other["auc"], 2),
                _number(scores["bitrate"]["auc"], 2),
            )
        )
    areas = ("paired wins [95 %]", "AUC [95 %]", "against the same people re-encoded", "bitrate alone")
    claims = figures["claims"]
    note = (
        f"Another person under the name: {claims['windows']} windows of {claims['people']} people's names, "
        f"AUC {claims['auc']:.3f}, EER {_percent(claims['eer'], 1)}."
    )
    return [*grid(("", "clips / people", *areas), rows), "", note]


def persona(figures: Figures) -> list[str]:
    """Show areas by person for each model, then the share of forged clips that lie farther than the genuine one."""
    lengths = [(group, length, row) for group, found in figures["genuine"].items() for length, row in found.items()]
    rows = []
    for group, length, scores in lengths:
        main = next(iter(scores.values()))
        count = f"{main['people']} ({main['genuine']} + {main['impostor']})"
        rows.append((group, length, count, *(_area(score) for score in scores.values())))
    names = list(lengths[0][2]) if lengths else []
    lines = grid(("people", "speech", "n (genuine + impostor pieces)", *names), rows)
    forged = figures.get("forged", {})
    if forged:
        scores = list(next(iter(forged.values())))
        cells = [(method, *(_span(row[score], "wins") for score in scores)) for method, row in forged.items()]
        lines += ["", "Forged clips that lie farther from the person than their genuine one:", ""]
        lines += grid(("method", *scores), cells)
    return lines


def _left_out(figures: Figures) -> list[str]:
    """Say how many people were left out because encoders had been trained on their sources."""
    count = figures.get("left_out", 0)
    return ["", f"{count} clips of sources that the encoders were trained on are left out."] if count else []


def claims(figures: Figures) -> list[str]:
    """Show who is told of under an enrolled name, by all detectors, each alone and all but one; then matched pairs."""
    kinds = {name: row for name, row in figures["claims"].items() if ":" not in name}
    decided = _deciders(next(iter(kinds.values())))
    rows = [
        (f"{kind}, {row['seconds'] / 60:.0f} min", f"{row[ALL]['calls']}", *(_told(row[name]) for name in decided))
        for kind, row in kinds.items()
    ]
    lines = [*grid(("calls", "n", *decided), rows), ""]
    own = kinds["genuine"]["by_own_agreement"]
    lines += [
        f"Alerted [95 %], p50 and p95. {kinds['genuine']['people']} people, of {kinds['genuine']['across']} another "
        f"recording was judged; lips of {own} by their own agreement; {figures['left_out']} could not be enrolled.",
        "",
    ]
    forged = {name: row for name, row in figures["matched"].items() if name != "genuine"}
    areas = [
        (
            name.removeprefix("forged: "),
            f"{row[ALL]['calls']} / {row['people']}",
            *(_area_of(row[one]) for one in decided),
        )
        for name, row in forged.items()
        if all(one in row for one in decided)
    ]
    return [*lines, *grid(("matched pairs, AUC [95 %]", "calls / people", *decided), areas)]


ALL = "all"


def _deciders(row: Mapping[str, Any]) -> list[str]:
    return [name for name, found in row.items() if isinstance(found, Mapping)]


def _told(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    share = f"{100 * row['alerted'] / max(row['calls'], 1):.0f} % [{100 * low:.0f}-{100 * high:.0f}]"
    return f"{share}, {_seconds(row['p50'])}, {_seconds(row['p95'])}" if row["p50"] is not None else share


def _area_of(row: Mapping[str, Any]) -> str:
    if "auc" not in row:
        return "-"
    area, low, high = (_number(value, 2) for value in row["auc"])
    return f"{area} [{low}-{high}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _area(row: Mapping[str, Any]) -> str:
    if row["auc"] is None:
        return "-"
    ends = "" if row["auc_low"] is None else f" [{_number(row['auc_low'])}-{_number(row['auc_high'])}]"
    return _number(row["auc"]) + ends


def _windows(figures: Figures, length: str) -> str:
    row = next(iter(figures["kinds"].values()))[length]
    return f"{row['real']} / {row['subjects']}"


def _calls(row: Mapping[str, Any]) -> tuple[str, str]:
    return f"{row['calls']} / {row['subjects']}", f"{row['hours']:.2f}"


def _rate(row: Mapping[str, Any]) -> str:
    return f"{_number(row['per_hour'])} [{_number(row['low'])}-{_number(row['high'])}]"


def _fall(row: Mapping[str, Any]) -> str:
    low, high = (_number(row[f"fall_{end}"], 1) for end in ("low", "high"))
    return f"{_number(row['fall_points'], 1)} [{low}-{high}]"


def _share(row: Mapping[str, Any], share: str, low: str, high: str) -> str:
    if row[share] is None:
        return "-"
    return f"{100 * row[share]:.1f} % [{100 * row[low]:.1f}-{100 * row[high]:.1f}]"


def _span(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    low, high = (_number(row[f"{name}_{end}"], 2) for end in ("low", "high"))
    return f"{_number(row[name], 2)} [{low}-{high}]"


def _percent(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 3) -> str:
    """Write a number without the nought before its point, as areas are written here."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"

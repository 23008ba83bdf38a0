"""Results, robustness and calls as tables for people; the numbers are those of summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table


def results_table(summary: Mapping[str, Any]) -> Table:
    """Show a row for each detector and method, and for each kind of mismatch."""
    heads = ("AUC", "95 % interval", "EER", "APCER at BPCER 5 %", "10 %", "forged", "genuine", "people", "abstained")
    table = Table("what", *heads)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for name, results in summary.items():
        if isinstance(results, Mapping) and "methods" in results and "auc" in results:
            rows += [(name, results), *((f"  {method}", row) for method, row in results["methods"].items())]
    rows += [(f"mismatch: {name}", row) for name, row in summary.get("mismatch", {}).items()]
    for name, row in rows:
        rates = (_number(row[key]) for key in ("eer", "apcer_at_bpcer_5_percent", "apcer_at_bpcer_10_percent"))
        span = f"{_number(row['auc_low'])}-{_number(row['auc_high'])}"
        counts = (str(row[key]) for key in ("fake", "real", "subjects", "abstained"))
        table.add_row(escape(name), _number(row["auc"]), span, *rates, *counts)
    return table


def robustness_table(tasks: Mapping[str, Mapping[str, Any]]) -> Table:
    """Show a row for each task: area when clean, mean over five levels of each kind, and how far their mean falls."""
    kinds = list(next(iter(tasks.values()))["kinds"]) if tasks else []
    table = Table("AUC, mean of 5 levels", "clean", *kinds, "all", "falls by (points)", "strict")
    for name, task in tasks.items():
        means = (_number(task["kinds"][kind]["mean"]) for kind in kinds)
        falls = (_fall(task), _fall(task["strict"]))
        table.add_row(escape(name), _number(task["clean"]), *means, _number(task["mean"]), *falls)
    return table


def live_table(live: Mapping[str, Any]) -> Table:
    """Show genuine calls with their false alerts, then forged ones and each method with their times to alert."""
    table = Table("calls", "n", "hours", "abstained", "alerted", "false alerts/h (95 %)", "to alert p50", "p95")
    genuine = live["genuine"]
    rate, span = _number(genuine["false_alerts_per_hour"], 2), (genuine["low"], genuine["high"])
    false_alerts = f"{rate} ({' to '.join(_number(value, 2) for value in span)})"
    table.add_row("genuine", *_shared(genuine), f"{len(genuine['times'])}", false_alerts, "", "")
    for name, row in {"forged": live["forged"], **{f"  {m}": r for m, r in live["methods"].items()}}.items():
        times = (_seconds(row[key]) for key in ("time_to_alert_p50", "time_to_alert_p95"))
        table.add_row(escape(name), *_shared(row), str(row["alerted"]), "", *times)
    return table


def pairs_table(summary: Mapping[str, Any]) -> Table:
    """Show error rates of the identity encoder: drawn pairs, every pair, and pairs with one or both in a poor call."""
    table = Table(
        "same person or not", "EER %", "95 % interval", "FNMR % at FMR 1 %", "at FMR 0.1 %", "same", "different"
    )
    rows = [("drawn pairs", summary["pairs"]), ("every pair", summary["every_pair"])]
    for name, sides in summary["rungs"].items():
        rows += [(f"{name}, {side.replace('_', ' ')}", row) for side, row in sides.items()]
    for name, row in rows:
        fnmr = [row.get(f"fnmr_at_fmr_{point}") for point in ("0.01", "0.001")]
        # With too few impostors a point would rest on none of them.
        rates = [_percents(point_row["fnmr"]) if point_row and point_row["resolved"] else "-" for point_row in fnmr]
        span = f"{_percents(row['eer_low'])}-{_percents(row['eer_high'])}" if "eer_low" in row else ""
        table.add_row(escape(name), _percents(row.get("eer")), span, *rates, str(row["same"]), str(row["different"]))
    return table


def _percents(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _fall(row: Mapping[str, Any]) -> str:
    span = f"{_number(row['fall_low'], 1)} to {_number(row['fall_high'], 1)}"
    return f"{_number(row['fall_points'], 1)} ({span})"


def _shared(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(row["calls"]), f"{row['hours']:.2f}", _number(row["abstained_share"], 2)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"

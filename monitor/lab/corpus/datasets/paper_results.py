"""What the papers of the three systems report on published data sets, to be shown beside what is measured here.

SpeechForensics (NeurIPS 2024), DiffFake (2025, tables 3, 5 and 6), ExposeAnyone (2026). Areas in percent, as printed.
They are numbers of other implementations, trained on other data, often on other selections of clips: they are for
comparison, not a promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitor.lab.corpus.datasets.base import Layout

ALL, MEAN = "all", "mean of the methods"


@dataclass(frozen=True, slots=True)
class Published:
    """One area that a paper reports: `method` is one of the data set's, `all` for the pooled clips, or their mean."""

    system: str
    detector: str
    dataset: str
    method: str
    auc: float
    setting: str = ""


def _table(system: str, detector: str, areas: Mapping[tuple[str, str], float], setting: str = "") -> list[Published]:
    return [Published(system, detector, dataset, method, auc, setting) for (dataset, method), auc in areas.items()]


_FFPP = "faceforensics"
PUBLISHED: tuple[Published, ...] = (
    *_table(
        "SpeechForensics",
        "synchrony",
        {
            (_FFPP, "Deepfakes"): 99.4,
            (_FFPP, "FaceSwap"): 91.1,
            (_FFPP, "Face2Face"): 100.0,
            (_FFPP, "NeuralTextures"): 100.0,
            (_FFPP, MEAN): 97.6,
            ("fakeavceleb", ALL): 99.0,
            ("kodf", ALL): 91.7,
        },
    ),
    *_table(
        "DiffFake",
        "pairwise",
        {
            (_FFPP, "Deepfakes"): 100.0,
            (_FFPP, "Face2Face"): 99.6,
            (_FFPP, "FaceSwap"): 98.6,
            (_FFPP, "NeuralTextures"): 98.9,
            (_FFPP, MEAN): 99.3,
        },
        "uncompressed, trained on it",
    ),
    *_table("DiffFake", "pairwise", {(_FFPP, "Deepfakes"): 89.3, (_FFPP, "FaceSwap"): 68.9}, "c23"),
    *_table("DiffFake", "pairwise", {(_FFPP, "Deepfakes"): 78.5, (_FFPP, "FaceSwap"): 58.2}, "c40"),
    *_table(
        "DiffFake",
        "pairwise",
        {
            ("celeb-df", ALL): 76.1,
            ("deeperforensics", ALL): 91.0,
            ("forgerynet", ALL): 83.7,
            ("faceshifter", ALL): 92.5,
        },
        "trained on FaceForensics++",
    ),
    *_table(
        "ExposeAnyone",
        "persona",
        {("df-timit", ALL): 99.72, ("dfdc-preview", ALL): 93.45, ("kodf", ALL): 95.31, ("idforge", ALL): 92.40},
        "with references of each person",
    ),
)


def compare(dataset: str, measured: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Set each published area of a data set beside what was measured on it; None where nothing was.

    `measured` holds the summary of each detector, as in summary.json. Areas that are measured are fractions, published
    ones are turned into fractions.
    """
    rows = []
    for published in PUBLISHED:
        if published.dataset == dataset:
            measured_here = _measured(published, measured.get(published.detector))
            rows.append({**asdict(published), "auc": round(published.auc / 100, 4), "measured": measured_here})
    return rows


def _measured(published: Published, summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    if published.method == MEAN:
        areas = [row["auc"] for row in summary["methods"].values() if row["auc"] is not None]
        mean = round(sum(areas) / len(areas), 4) if areas else None
        return {"auc": mean, "auc_low": None, "auc_high": None, "fake": summary["fake"], "real": summary["real"]}
    row = summary if published.method == ALL else summary["methods"].get(published.method)
    return {key: row[key] for key in ("auc", "auc_low", "auc_high", "fake", "real")} if row else None


def markdown(rows: Sequence[Mapping[str, Any]], layouts: Mapping[str, Layout]) -> str:
    """Render the rows of `compare`, of one or more data sets, as a table in Markdown."""
    head = (
        "| data set | method | system (detector) | published AUC | measured AUC | 95 % interval | n forged + genuine |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    for row in rows:
        layout = layouts.get(row["dataset"])
        setting = f", {row['setting']}" if row["setting"] else ""
        cells = [
            layout.title if layout else row["dataset"],
            row["method"],
            f"{row['system']} ({row['detector']}){setting}",
            f"{row['auc']:.3f}",
            *_cells(row["measured"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(measured: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if measured is None or measured["auc"] is None:
        return "not measured", "", ""
    has_interval = measured["auc_low"] is not None
    span = f"{measured['auc_low']:.3f}-{measured['auc_high']:.3f}" if has_interval else ""
    return f"{measured['auc']:.3f}", span, f"{measured['fake']} + {measured['real']}"

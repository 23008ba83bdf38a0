"""The papers' own numbers stand beside those measured here, and where nothing was measured that is said."""

from __future__ import annotations

from typing import Any

from monitor.lab.corpus.datasets import LAYOUTS
from monitor.lab.corpus.datasets.paper_results import PUBLISHED, compare, markdown


def row(auc: float | None, fake: int = 4) -> dict[str, Any]:
    low, high = (None, None) if auc is None else (auc - 0.1, auc + 0.05)
    return {"auc": auc, "auc_low": low, "auc_high": high, "fake": fake, "real": 10}


def test_every_number_is_of_a_data_set_that_is_read() -> None:
    assert {known.dataset for known in PUBLISHED} <= set(LAYOUTS)
    assert all(50 < known.auc <= 100 for known in PUBLISHED)


def test_published_beside_measured_by_method() -> None:
    methods = {"Deepfakes": row(0.9), "FaceSwap": row(0.7), "NeuralTextures": row(None, 0)}
    found = compare("faceforensics", {"synchrony": {**row(0.8, 8), "methods": methods}})
    ours = {r["method"]: r["measured"] for r in found if r["system"] == "SpeechForensics"}
    assert ours["Deepfakes"] == row(0.9)
    assert ours["Face2Face"] is None
    assert ours["mean of the methods"]["auc"] == 0.8
    assert all(r["measured"] is None for r in found if r["system"] == "DiffFake")
    text = markdown(found, LAYOUTS)
    assert (
        "| FaceForensics++ | Deepfakes | SpeechForensics (synchrony) | 0.994 | 0.900 | 0.800-0.950 | 4 + 10 |" in text
    )
    assert "| FaceForensics++ | Face2Face | SpeechForensics (synchrony) | 1.000 | not measured |  |  |" in text
    assert "| mean of the methods | SpeechForensics (synchrony) | 0.976 | 0.800 |  | 8 + 10 |" in text
    assert "DiffFake (pairwise), c40 | 0.582" in text


def test_pooled_clips_and_data_sets_of_which_nothing_is_published() -> None:
    summary = {**row(0.6), "methods": {}}
    (found, other) = compare("kodf", {"synchrony": summary})
    assert found["measured"] == row(0.6)
    assert (other["system"], other["measured"]) == ("ExposeAnyone", None)
    assert compare("lrs3", {"synchrony": summary}) == []
    empty = compare("faceforensics", {"synchrony": {**row(None, 0), "methods": {}}})
    assert "not measured" in markdown(empty, {})

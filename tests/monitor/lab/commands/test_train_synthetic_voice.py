"""`train synthetic-voice` from clips and recordings to its report, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.lab.studies.synthetic_voice import fold_of
from monitor.types import FloatArray
from tests.monitor.detectors.voiceprint.voices import voice
from tests.monitor.lab.corpus.test_voice_windows import write

RUN = CliRunner()
# As few people as there have to be, and little more than the speech that is asked of each.
PEOPLE, SAMPLES = 8, round(3.6 * 16_000)


def clip(path: Path, sound: FloatArray) -> None:
    """A clip with sound and no picture, in the folder of its speaker."""
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def test_makers_are_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sklearn", "torch"):
        pytest.importorskip(module, reason="it fits models: install the extra `train`")
    monkeypatch.setattr("monitor.lab.corpus.synthesisers.installed", list)
    for person in range(PEOPLE):
        clip(tmp_path / "clips" / f"p{person}" / "a.mkv", voice(person, SAMPLES))
    for number in range(3):
        write(tmp_path / "made" / f"{number}.wav", voice(99, SAMPLES, number))
    out = tmp_path / "out"
    asked = ["train", "synthetic-voice", str(tmp_path / "clips"), "--recordings", f"toy={tmp_path / 'made'}"]
    result = RUN.invoke(app, [*asked, "--out", str(out), "--cache", str(tmp_path / "cache"), "--people", str(PEOPLE)])
    assert result.exit_code == 0, result.output
    told = json.loads((out / "results.json").read_text())["simple"]
    assert {row["maker"] for row in told["left_out"]} >= {"toy", "griffin-lim", "linear prediction", "phase vocoder"}
    toy = next(row for row in told["left_out"] if row["maker"] == "toy")
    assert (toy["windows"], toy["people"], toy["genuine"]) == (3, 3, PEOPLE)
    assert "toy: AUC" in result.output
    assert isinstance(told["is_evidence"], bool)
    again = [*asked, "--out", str(out), "--cache", str(tmp_path / "cache"), "--people", str(PEOPLE)]
    one = RUN.invoke(app, [*again, "--leave-out", "toy", "--steps", "3", "--json"])
    assert one.exit_code == 0, one.output
    told = json.loads((out / "results.json").read_text())
    assert {model: [row["maker"] for row in of["left_out"]] for model, of in told.items()} == {
        "simple": ["toy"],
        "net": ["toy"],
    }
    split = tmp_path / "split.csv"
    # One of each half is of another kind, so that both halves know somebody.
    others = {fold_of(f"clips:p{n}"): n for n in range(PEOPLE)}.values()
    groups = [f"p{n}/a.mkv,p{n},{'studio' if n in others else 'phone'}," for n in range(PEOPLE)]
    split.write_text("\n".join(["path,subject,group,fold", *groups]) + "\n")
    kinds = RUN.invoke(app, [*again, "--leave-out", "toy", "--split", str(split)])
    assert kinds.exit_code == 0, kinds.output
    (kind,) = json.loads((out / "results.json").read_text())["simple"]["kinds"]
    assert (kind["maker"], kind["people"], kind["genuine"]) == ("phone", PEOPLE - 2, 2)
    assert "phone: AUC" in kinds.output
    wrong = RUN.invoke(app, [*again, "--leave-out", "nobody"])
    assert wrong.exit_code == 2


def test_what_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="it fits models: install the extra `train`")
    clip(tmp_path / "clips" / "p" / "a.mkv", voice(1, 16_000))
    monkeypatch.setattr("monitor.lab.corpus.synthesisers.installed", list)
    asked = ["train", "synthetic-voice", str(tmp_path / "clips")]
    none = RUN.invoke(app, asked)
    assert none.exit_code != 0
    assert "no synthesiser is here" in str(none.exception or none.output)
    wrong = RUN.invoke(app, [*asked, "--recordings", "toy"])
    assert wrong.exit_code == 2

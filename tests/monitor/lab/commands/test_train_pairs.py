from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engines.base import MODELS
from monitor.cli import app
from monitor.detectors.pairwise.population import Population
from monitor.lab.studies.paired_forgeries import SCORES

RUN = CliRunner()


@pytest.fixture
def manifest(data_dir: Path, tmp_path: Path) -> Path:
    """Three people with three short clips each, and a forged clip of one."""
    lines = ["path,label,method,subject"]
    for person, words in {
        "nicole": ("amount", "against", "change"),
        "jen": ("central", "conflict", "grocery"),
        "elisha": ("allegations", "authorities", "children"),
    }.items():
        clip = f"{data_dir}/clips/real/LipReadingQuiz__{person}"
        lines += [f"{clip}_{word}.mp4,real,real,{person}" for word in words]
    name = "LipReadingQuiz__bucket_nicole_apple_1334_2202_548_1_wav2lip_gan.mp4"
    lines.append(f"{data_dir}/clips/fake/{name},fake,Wav2Lip-GAN,nicole")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_unknown_features_are_refused(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["train", "pairs", str(tmp_path), "--feature", "sum"])
    assert result.exit_code == 2


@pytest.mark.long
@pytest.mark.data
def test_a_population_is_written_and_matched_pairs_are_told(manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn: install the extra `train`")
    if not (MODELS / "face_artefacts" / "manifest.json").exists():
        pytest.skip("no face_artefacts pack: run `sidewitness train faces`")
    out, cache = tmp_path / "population.npz", tmp_path / "looks"
    common = ["--cache", str(cache), "--workers", "1"]
    result = RUN.invoke(
        app, ["train", "pairs", str(manifest), "--out", str(out), "--matched", str(tmp_path / "m"), *common]
    )
    assert result.exit_code == 0, result.output
    people = Population.from_bytes(out.read_bytes())
    assert people.people == 3
    told = json.loads((tmp_path / "m" / "matched.json").read_text())
    assert set(told) == {"all", "Wav2Lip-GAN"}
    assert set(SCORES) < set(told["all"])
    assert told["all"]["artefact"]["forged_clips"] == 1

"""An engine of another package is one file and one entry point: every command takes it, and no file here names it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import trust
from engines.base import MODELS, EngineError
from engines.checks.parity import differences, seeded
from engines.compose.swap import SwappingEngine
from engines.load import load_engine, open_compiler, probe_engine
from engines.registry import BUILT_IN, EngineSpec, engine_names, find_engine, resolve
from monitor import cli
from monitor.config import ConfigError, load
from tests.engines import packs
from tests.engines.third_party import Site

TOY = Path(__file__).with_name("toy_engine.py").read_text()
NAMES = ("openvino", "openvino-bf16", "onnx", "tensorrt", "pytorch", "pytorch-fp16", "ray-pool")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    return Site(tmp_path / "site", monkeypatch)


@pytest.fixture
def toy(site: Site) -> Site:
    site.install("toy", "toy_engine:SPEC", toy_engine=TOY)
    return site


def command(*words: str) -> Any:
    """Run the command line in a process of its own and read its JSON."""
    ended = subprocess.run(
        [sys.executable, "-m", "monitor.cli", *words, "--json"], capture_output=True, text=True, check=False
    )
    assert ended.stderr.startswith("note:") or ended.stderr == "", ended.stderr
    return json.loads(ended.stdout)


def test_the_built_in_engines_keep_their_names() -> None:
    assert engine_names() == NAMES == tuple(spec.name for spec in BUILT_IN)
    assert [spec.name for spec in BUILT_IN if spec.batched] == ["tensorrt", "pytorch", "pytorch-fp16"]
    assert all(callable(resolve(spec.build)) for spec in BUILT_IN if spec.distribution in ("openvino", "onnxruntime"))


def test_an_engine_of_another_package_runs_a_pack(toy: Site) -> None:
    assert engine_names() == (*NAMES, "toy")
    engine, reference = load_engine("face_detector", "toy"), load_engine("face_detector", "onnx")
    assert type(engine).__module__ == "toy_engine"
    assert max(differences(reference, engine, seeded(engine.manifest, 2)).values()) < 1e-5


def test_no_runtime_is_imported_to_name_engines(toy: Site) -> None:
    code = (
        "import sys; from engines.registry import engine_names, find_engine; "
        "print([find_engine(n).name for n in engine_names()]); "
        "print([m for m in ('onnxruntime', 'openvino', 'torch', 'tensorrt', 'pycuda') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == f"{[*NAMES, 'toy']}\n[]\n"


def test_it_is_listed_verified_and_looked_at_by_doctor(
    toy: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packs.write(tmp_path / "models")
    models, here = folder.parent, trust.store()
    monkeypatch.setenv(trust.STORE_VARIABLE, str(tmp_path / "trusted"))
    store = trust.trust(folder.name, (folder / "manifest.json").read_bytes())
    # What was built on this machine stays trusted.
    store.write_text(store.read_text() + (here.read_text() if here.exists() else ""))
    engines = {row["name"]: row for row in command("engines", "list", "--models", str(models))["engines"]}
    assert tuple(engines) == (*NAMES, "toy")
    assert engines["toy"] == {"name": "toy", "device": "cpu", "batched": True, "built_in": False, "detail": ""}
    (pack,) = command("engines", "verify", "--engine", "toy", "--models", str(models))["packs"]
    assert (pack["name"], pack["ok"], pack["detail"]) == ("adder", True, "the same")
    checks = {check["name"]: check for check in command("doctor")["checks"]}
    assert checks["engine toy"]["state"] == "ok"
    assert checks["engine toy"]["detail"].startswith("runs (1.")
    assert {f"engine {name}" for name in NAMES} <= set(checks)


def test_it_is_a_setting_and_says_whether_participants_are_batched(toy: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_ENGINE", "toy")
    settings = load()
    assert (settings.engine, settings.batches, load(batching="off").batches) == ("toy", True, False)


def test_a_clip_is_scanned_with_it(toy: Site, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = str(data_dir / "clips" / "real" / "video-retalking__3.mp4")
    found = command("scan", clip, "--engine", "toy")
    assert cli.run(["scan", clip, "--engine", "onnx", "--json"]) == 0
    reference = json.loads(capsys.readouterr().out)
    assert found["verdict"] == reference["verdict"]
    score, expected = (said["scores"]["synchrony"]["score"] for said in (found, reference))
    assert score == pytest.approx(expected, abs=1e-4)


def test_the_help_of_every_command_lists_it(toy: Site) -> None:
    commands = ["scan", "enroll", "bench", "engines verify", "engines build"]
    code = f"from monitor import cli\nfor words in {commands}: print('of', words); cli.run([*words.split(), '--help'])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for words in commands:
        help_of = said.partition(f"of {words}\n")[2].partition("\nof ")[0]
        assert f"[{'|'.join((*NAMES, 'toy'))}]" in "".join(help_of.split()), words


def test_an_unknown_engine_is_one_line_with_all_names(capsys: pytest.CaptureFixture[str]) -> None:
    listed = ", ".join(map(repr, NAMES))
    assert cli.run(["scan", "clip.mp4", "--engine", "cuda"]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: Invalid value for '--engine': 'cuda' is not one of {listed} (see"
    )
    with pytest.raises(ConfigError, match=r"Input should be 'openvino', .*'pytorch-fp16' or 'ray-pool'") as refused:
        load(engine="cuda")
    assert "\n" not in str(refused.value)


BROKEN = "raise RuntimeError('half\\ninstalled')"


def test_a_broken_one_is_one_clear_error_and_harms_nobody_else(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install("broken", "broken_engine:SPEC", package="broken-pack", broken_engine=BROKEN)
    site.install("toy", "toy_engine:SPEC", toy_engine=TOY)
    clear = r"the engine broken of the package broken-pack cannot be loaded \(RuntimeError: half installed\): reinstall"
    with pytest.raises(EngineError, match=clear) as refused:
        load_engine("face_detector", "broken")
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match=f"setting 'engine' .SIDEWITNESS_ENGINE.: {clear}"):
        load(engine="broken")
    assert load_engine("face_detector", "toy").manifest.name == "face_detector"
    assert cli.run(["engines", "list", "--json"]) == 0
    engines = {row["name"]: row for row in json.loads(capsys.readouterr().out)["engines"]}
    assert engines["broken"]["device"] is None
    assert "cannot be loaded" in engines["broken"]["detail"]
    cli.run(["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["engine broken"]["state"], checks["engine toy"]["state"]) == ("optional", "ok")
    assert checks["engine broken"]["remedy"] == "reinstall or remove that package"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("SPEC = 'toy'", "gives no EngineSpec of this name: update or remove"),
        (TOY.replace('EngineSpec("toy"', 'EngineSpec("other"'), "gives no EngineSpec of this name"),
        ("", "cannot be loaded .AttributeError"),
        (TOY.replace("build=ToyEngine", "build=lambda pack: 7"), "the engine toy built a int, no engine"),
        (TOY.replace("import onnxruntime", "import no_such_runtime"), "cannot be imported .*: install onnxruntime"),
        (TOY.replace("build=ToyEngine", "build='toy_engine:Absent'"), "toy_engine has no Absent.: install onnxruntime"),
    ],
)
def test_what_is_no_engine_is_refused_by_name(source: str, problem: str, site: Site) -> None:
    site.install("toy", "toy_engine:SPEC", toy_engine=source)
    with pytest.raises(EngineError, match=problem):
        load_engine("face_detector", "toy")


def test_a_built_in_name_cannot_be_taken_over(site: Site) -> None:
    site.install("onnx", "toy_engine:SPEC", toy_engine=TOY.replace('"toy"', '"onnx"'))
    assert engine_names() == NAMES
    assert type(load_engine("face_detector", "onnx")).__module__ == "engines.runtimes.onnx"


def test_two_packages_with_one_name_are_named(toy: Site) -> None:
    toy.install("toy", "other_engine:SPEC", package="other-pack", other_engine=TOY)
    with pytest.raises(EngineError, match="the engine toy is in the packages other-pack and toy-pack: remove all but"):
        find_engine("toy")


def test_one_that_compiles_long_has_a_substitute_meanwhile(site: Site, tmp_path: Path) -> None:
    source = TOY.replace("batched=True", "substitute='onnx', probe=lambda: 'two threads'")
    site.install("toy", "toy_engine:SPEC", toy_engine=source)
    packs.write(tmp_path / "models")
    engine = load_engine("adder", "toy", tmp_path / "models")
    assert isinstance(engine, SwappingEngine)
    ones = {name: np.ones((1, 3, 2), np.float32) for name in ("a", "b")}
    assert engine.run(ones)["sum"].tolist() == np.full((1, 3, 2), 2.0).tolist()
    assert engine.wait(20.0)
    assert type(engine.running).__module__ == "toy_engine"
    assert type(load_engine("adder", "toy", tmp_path / "models", wait=True)).__module__ == "toy_engine"
    assert probe_engine(find_engine("toy")) == "two threads"


def test_what_is_tried_says_the_version_where_there_is_one() -> None:
    for distribution in ("", "not-installed"):
        spec = EngineSpec("onnx", build="engines.runtimes.onnx:OnnxEngine", remedy="", distribution=distribution)
        assert probe_engine(spec) == "runs"
    assert probe_engine(find_engine("onnx")).startswith("runs (1.")


def test_an_engine_that_compiles_nothing_ahead_says_which_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineError, match="the engine onnx compiles nothing ahead of time: use tensorrt"):
        open_compiler(find_engine("onnx"))
    assert cli.run(["engines", "build", "--engine", "onnx", "--models", str(MODELS)]) == 1
    assert capsys.readouterr().err == "error: the engine onnx compiles nothing ahead of time: use tensorrt\n"

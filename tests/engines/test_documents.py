"""Whatever stands in a file that people write ends in one clear line: settings, consents and manifests."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engines.base import ModelPackError, check_inputs, zeros
from engines.documents import MAX_NESTING, DocumentError, absolute_path, expand, parse_json, parse_yaml
from engines.errors import SidewitnessError
from engines.packs import load_pack, parse_manifest
from engines.packs import parse_json as parse_manifest_json
from monitor.config import ConfigError, Settings, load
from monitor.identity.vault.consent import ConsentError, read_consent
from tests.engines import packs
from tests.examples_count import examples

LAUGHS = b"a: &a [x, x]\n" + b"".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n".encode() for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
ODD = (
    "2026-99-99", "2026-02-30", "0000-00-00", "2001-12-14t21:59:43.10-99:30", "9999-12-31T23:59:59-23:59", "~nobody/x",
    "~", "1e999", "-.inf", ".nan", "0x", "0b", "1_", "190:20:30", "0o8", "!!binary x", "!!timestamp x", "!!int x",
    "!!float x", "!!set {a, b}", "!!omap [a]", "!!pairs [a]", "!!python/object:os.system x", "&a [*a]", "*a",
    "{[a]: b}", "? {a: b}\n: c", "'\\0'", '"\\0"', '"\\ud800"', "[" * 2000, "{a: " * 2000, "- " * 2000, "9" * 5000,
    "<<: x", "<<: [x]", "=", "%YAML 9.9\n---", "\ufeff", "a: b: c", "\t", "@", "`", "---\n---\n", "...",
)  # fmt: skip
NAMES = sorted(Settings.model_fields)


def one_line(error: Exception) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) < 600
    return text


yamls = (
    st.one_of(
        st.sampled_from(ODD),
        st.builds("{}: {}".format, st.sampled_from(NAMES), st.sampled_from(ODD)),
        st.builds("{}: [{}]".format, st.sampled_from(NAMES), st.sampled_from(ODD)),
        st.builds("{}: {{a: {}}}".format, st.sampled_from(NAMES), st.sampled_from(ODD)),
        st.builds("{}: {}".format, st.sampled_from(NAMES), st.text()),
        st.text(),
    ).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary()
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(LAUGHS)
@example(b"\xff\xfe")
@example(b"state_dir: ~nobody-of-this-name/x")
@example(b"packs: 2026-99-99")
@example(b"sinks: [{kind: jsonl, path: ~nobody-of-this-name/x}]")
@example(b"a: " + b"[" * 2000)
@example(b"a: 2001-12-14t21:59:43.10-99:30")
@given(yamls)
def test_any_file_of_settings_is_read_or_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(text)
    try:
        load(path)
    except ConfigError as error:
        one_line(error)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(LAUGHS)
@example(b'by: x\ngiven: 2026-03-01\nevidence: "\\0"\n')
@example(b"by: x\ngiven: 9999-12-31\n")
@given(
    yamls
    | st.builds(
        "by: x\n{}: {}".format, st.sampled_from(["given", "expires", "evidence", "purpose", "by"]), st.sampled_from(ODD)
    ).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_consent_is_read_or_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "consent.yaml"
    path.write_bytes(text)
    try:
        read_consent(path)
    except ConsentError as error:
        one_line(error)


numbers = st.sampled_from([0, -1, -2, 1.5, 10**30, math.inf, -math.inf, math.nan, True, False, None])
jsons = st.recursive(
    numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
FIELDS = (
    "schema", "name", "version", "sha256", "files", "inputs", "outputs", "licence", "source", "preprocessing",
    "metrics", "recipe", "data",
)  # fmt: skip


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(("preprocessing", "example_length"), 1e999)
@example(("inputs", 0, "shape", 1), 10**12)
@example(("inputs", 0, "shape"), [math.inf])
@example(("metrics",), math.nan)
@given(
    st.tuples(st.sampled_from(FIELDS))
    | st.tuples(st.just("preprocessing"), st.sampled_from(["example_length", "reach", "chunk", "engine"]))
    | st.tuples(st.just("files"), st.text(max_size=8) | st.sampled_from(["model.onnx", "../x", "manifest.json"]))
    | st.tuples(st.sampled_from(["inputs", "outputs"]), st.just(0), st.sampled_from(["name", "shape", "dtype"]))
    | st.tuples(st.just("inputs"), st.just(0), st.just("shape"), st.sampled_from([0, 1])),
    jsons,
)
def test_any_manifest_is_read_or_refused_in_one_line(tmp_path: Path, place: tuple[Any, ...], value: Any) -> None:
    folder = packs.write(tmp_path)
    raw = json.loads((folder / "manifest.json").read_text())
    within = raw
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    text = json.dumps(raw).replace("Infinity", "1e999").encode("utf-8", "replace")
    try:
        manifest = parse_manifest(parse_manifest_json(text, folder / "manifest.json"), folder / "manifest.json")
    except ModelPackError as error:
        one_line(error)
        return
    check_inputs(manifest, zeros(manifest))


@pytest.mark.parametrize(
    "text",
    [b"[" * 10_000, b'{"a": NaN}', b'{"a": 1e999}', b'{"a": -Infinity}', b"[" * 40 + b"]" * 40, b"9" * 5000, b""],
)
def test_json_that_is_none_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text)
    one_line(caught.value)
    folder = packs.write(tmp_path)
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(ModelPackError, match=r"manifest\.json cannot be read as JSON \(.+\): reinstall") as refused:
        load_pack(folder)
    one_line(refused.value)


def test_what_people_write_is_read() -> None:
    assert parse_json(b'{"a": [1.5, 2, null]}') == {"a": [1.5, 2, None]}
    assert parse_yaml(b"a: &a [1, 2]\nb: *a\n") == {"a": [1, 2], "b": [1, 2]}
    deep = b"[" * MAX_NESTING + b"]" * MAX_NESTING
    assert parse_json(deep) == parse_yaml(deep)
    with pytest.raises(DocumentError, match="nested deeper than 32"):
        parse_yaml(b"[" + deep + b"]")
    with pytest.raises(DocumentError, match="more than 100000 values"):
        parse_yaml(LAUGHS)
    for none in (b"a: 2026-99-99", b"a: " + b"[" * 2000, b"a: " + b"9" * 5000):
        with pytest.raises(DocumentError):
            parse_yaml(none)
    with pytest.raises(DocumentError) as caught:
        parse_yaml(b"a: 1\nb: [\n")
    assert caught.value.line == 3


def test_a_path_is_written_out_or_refused() -> None:
    assert absolute_path(Path("~/x")) == Path.home() / "x"
    for none, why in (("~nobody-of-this-name/x", "no such user"), ("a\0b", "no null")):
        with pytest.raises(ValueError, match=why):
            absolute_path(Path(none))


def test_a_home_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "~nobody-of-this-name")
    with pytest.raises(SidewitnessError, match=r"state_dir.*no such user's home") as caught:
        load()
    one_line(caught.value)


def test_references_are_written_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\r\n")
    environ = {"URL": "https://x.example", "ODD": "a: [b]\n${URL}", "EMPTY": ""}
    document = {
        "${URL}": ["${URL}/${URL}", {"deep": "${ODD}"}],
        "file": f"${{file:{secret}}}",
        "else": "${ABSENT:-6514}${EMPTY:-}",
        "themselves": "$${URL} $URL $$ }",
        "numbers": [1, None, 2.5, True],
    }
    assert expand(document, environ) == {
        # Names of settings are not texts of anybody's, and what a variable holds is not looked into.
        "${URL}": ["https://x.example/https://x.example", {"deep": "a: [b]\n${URL}"}],
        "file": "hunter2",
        "else": "6514",
        "themselves": "${URL} $URL $$ }",
        "numbers": [1, None, 2.5, True],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${ABSENT} ${ABSENT} ${EMPTY} ${OTHER}", "are not set or empty: ABSENT, EMPTY, OTHER: export them"),
        ("${}", "names no variable"),
        ("${hunter2!}", "names no variable"),
        ("${hunter2", "names no variable"),
        ("${file:/nowhere/secret}", "/nowhere/secret cannot be read"),
        ("${file:}", "cannot be read"),
        ("${file:EMPTY}", "is empty or longer"),
        ("${file:LONG}", "is empty or longer"),
        ("${file:BINARY}", "is no text"),
    ],
)
def test_references_that_name_nothing(tmp_path: Path, text: str, message: str) -> None:
    for name, data in (("EMPTY", b"\n"), ("LONG", b"x" * 65537), ("BINARY", b"\xff\xfehunter2")):
        (tmp_path / name).write_bytes(data)
        text = text.replace(f"file:{name}", f"file:{tmp_path / name}")
    with pytest.raises(DocumentError, match=message) as caught:
        expand({"sinks": [{"secret": text}]}, {"EMPTY": ""})
    assert "hunter2" not in one_line(caught.value)

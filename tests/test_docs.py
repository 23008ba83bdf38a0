"""What the documents name is there: links, files, modules, make targets, and commands with their options."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer.main

from monitor import cli
from monitor.lab.corpus.manifest import SHIPPED_SPLITS, read_csv
from monitor.lab.suite.document import BLOCK, problems, read_results, shipped
from monitor.lab.suite.parts import NAMES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(path for name in ("README", "CONTRIBUTING", "GLOSSARY", "SECURITY") if (path := ROOT / f"{name}.md").exists()),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
# Records of decisions keep the words of their time; what they link to must be there all the same.
CURRENT = [path for path in DOCUMENTS if path.parent.name != "decisions"]

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
FILE = re.compile(r"(?<![\w/.-])(?:monitor|engines|plugins|tests|docs|examples|\.ci|\.github)/[\w./*{},<>-]*[\w/*}>]")
MODULE = re.compile(r"(?<![\w./-])(?:monitor|engines|plugins|tests)(?:\.[A-Za-z_]\w*)+\b(?![/-])")
TARGET = re.compile(r"(?<![\w-])make ([a-z][\w-]*)")
COMMAND = re.compile(r"(?<![\w/.-])sidewitness ((?:[a-z-]|\\\n)[^\n`#;&>]*)")
# What a path leaves open is written in capitals or between angles: `monitor/detectors/NAME/`.
PLACEHOLDER = re.compile(r"<\w+>|(?<![A-Za-z])[A-Z][A-Z_]+(?![A-Za-z])")
# Made on the machine, and not in the repository.
BUILT = {"engines/models/face_identity", "engines/models/speech_presence", "engines/models/voice_identity"}


def code(document: Path) -> Iterator[str]:
    """Every block and span of code of a document; the pipes of a table's cells as they are meant."""
    text = document.read_text().replace("\\|", "|")
    yield from FENCE.findall(text)
    for _, span in SPAN.findall(FENCE.sub("", text)):
        yield " ".join(span.split())


def braces(text: str) -> list[str]:
    """`a/{b,c}` as a shell expands it."""
    parts = [part.split(",") for part in re.split(r"[{}]", text)]
    alternatives = [part if i % 2 else [",".join(part)] for i, part in enumerate(parts)]
    return ["".join(choice) for choice in product(*alternatives)]


def is_there(name: str) -> bool:
    """Whether a path of the repository, with wildcards and placeholders, names something that is there."""
    if name.rstrip("/") in BUILT:
        return True
    return any(ROOT.glob(PLACEHOLDER.sub("*", name).rstrip("/")))


@cache
def names_of(file: Path) -> frozenset[str]:
    """What a module defines or imports at its top level, and the members of its classes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name)
            case ast.arg(arg=name):
                names.add(name)
    return frozenset(names)


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module of ours, or a name within one."""
    parts = dotted.split(".")
    for size in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:size])
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if file.is_file():
            return all(name in names_of(file) for name in parts[size:])
        if size == len(parts) and path.is_dir():
            return True
    return False


@cache
def targets() -> frozenset[str]:
    """The targets of the Makefile that a person types."""
    return frozenset(re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split())


@cache
def program() -> Any:
    """The commands, as typer makes them."""
    return typer.main.get_command(cli.app)


def options_of(command: Any) -> set[str]:
    """Every option that a command takes."""
    return {"--help"} | {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }


def every_option(command: Any) -> set[str]:
    """Every option of a command and of those under it."""
    return options_of(command).union(*(every_option(inner) for inner in getattr(command, "commands", {}).values()))


def mistakes(line: str) -> list[str]:
    """What is wrong with a command line as a document writes it: commands and options that are not there."""
    try:
        words = shlex.split(re.sub(r"\\\n", " ", line.replace("[", " ").replace("]", " ")))
    except ValueError:
        words = line.split()
    commands = [program()]
    while words and all(hasattr(command, "commands") for command in commands):
        if words[0].startswith("-") or not re.fullmatch(r"[a-z0-9|-]+", words[0]):
            break
        word = words.pop(0)
        missing = [name for name in word.split("|") if name not in commands[0].commands]
        if missing:
            return [f"sidewitness {line}: no command {', '.join(missing)}"]
        commands = [commands[0].commands[name] for name in word.split("|")]
    accepted = set[str]().union(*map(options_of, commands))
    used = [part.split("=")[0] for word in words for part in word.split("|") if part.startswith("--")]
    return [f"sidewitness {line}: no option {option}" for option in used if option not in accepted]


def name_of(document: Path) -> str:
    """The name of a document in what a test reports."""
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", FENCE.sub("", document.read_text()))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def anchors(document: Path) -> set[str]:
    """What the headings of a document can be linked to by."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_headings(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]*\.md|)#([^)\s]+)\)", FENCE.sub("", document.read_text()))
    targets = [(document.parent / name if name else document, anchor) for name, anchor in links]
    assert [f"{path.name}#{anchor}" for path, anchor in targets if anchor not in anchors(path)] == []


@pytest.mark.parametrize("document", CURRENT, ids=name_of)
def test_files_are_there(document: Path) -> None:
    found = [name for text in code(document) for match in FILE.findall(text) for name in braces(match)]
    assert sorted({name for name in found if not is_there(name)}) == []


@pytest.mark.parametrize("document", CURRENT, ids=name_of)
def test_modules_are_there(document: Path) -> None:
    found = {name for text in code(document) for name in MODULE.findall(text)}
    assert sorted(name for name in found if not resolves(name)) == []


@pytest.mark.parametrize("document", CURRENT, ids=name_of)
def test_make_has_the_targets(document: Path) -> None:
    found = {name for text in code(document) for name in TARGET.findall(text)}
    assert sorted(found - targets()) == []


@pytest.mark.parametrize("document", CURRENT, ids=name_of)
def test_commands_have_the_options(document: Path) -> None:
    lines = [line for text in code(document) for line in COMMAND.findall(text)]
    assert [mistake for line in lines for mistake in mistakes(line)] == []


@pytest.mark.parametrize("document", CURRENT, ids=name_of)
def test_options_named_alone_are_of_some_command(document: Path) -> None:
    found = {text.split()[0].split("=")[0] for text in code(document) if text.startswith("--")}
    accepted = every_option(program())
    assert sorted(name for option in found for name in option.split("|") if name not in accepted) == []


def test_what_is_not_there_is_found() -> None:
    assert not is_there("monitor/session.py")
    assert is_there("monitor/detectors/NAME/detector.py")
    assert not resolves("monitor.datasets")
    assert not resolves("monitor.session.session.NoSuchName")
    assert resolves("monitor.session.session.Session")
    assert mistakes("scan clip.mp4 --no-such-option") != []
    assert mistakes("identities list|lost") != []
    assert mistakes("identities list|show") == []
    assert braces("a/{b,c}.py") == ["a/b.py", "a/c.py"]


@pytest.mark.parametrize("document", [d for d in CURRENT if ".github" not in d.parts], ids=name_of)
def test_lines_of_prose_fit_on_a_screen(document: Path) -> None:
    """Code, tables, headings, pictures and single long words may be longer."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", document.read_text()))
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "#", "!", "<"))]
    assert [line for line in lines if len(line) > 120 and len(max(line.split(), key=len)) < 80] == []


RESULTS = ROOT / "docs" / "results.md"


def test_the_tables_of_results_are_those_of_their_figures_and_hold_for_the_packs_that_are_shipped() -> None:
    """Where this fails: measure the parts that it names anew, or mark them, as each line says."""
    assert problems([RESULTS.read_text()], read_results(RESULTS), shipped) == []


def test_every_part_of_the_suite_has_its_table() -> None:
    assert sorted(match["name"] for match in BLOCK.finditer(RESULTS.read_text())) == sorted(NAMES)


def test_no_figure_names_anybody() -> None:
    people = {
        raw["subject"] for split in SHIPPED_SPLITS.values() for raw in read_csv(split, ("path", "subject", "group"))
    }
    people -= {"anchors", "grid"}
    for name, result in read_results(RESULTS).items():
        assert [who for who in people if f'"{who}"' in result.to_json()] == [], name

"""Does the parts of the suite in turn: what was made of the same packs, data and code is taken as it is.

A part that cannot be measured, for want of data or of a pack, is told in one line, and the others go on. What is
finished within a part is kept by the part itself (`monitor.lab.evaluate.resume_log`), so a run that was killed is taken
up by the same command.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from engines.errors import SidewitnessError
from monitor.decision.decide import DecisionConfig
from monitor.lab.corpus.manifest import FEATURES_VERSION, RESEARCH_SPLIT
from monitor.lab.evaluate.clip_detector import SCORING
from monitor.lab.suite.depends import code, data_files, pack_files
from monitor.lab.suite.measures import Measure
from monitor.lab.suite.parts import SPEECH, Part
from monitor.lab.suite.result import PartResult, SuiteError
from monitor.lab.suite.setting import Setting

# Told what is going on, a line at a time.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of parts came to: results in order, and a line for each part without one."""

    results: tuple[PartResult, ...]
    failures: Mapping[str, str]


def run_parts(parts: Sequence[Part], measures: Mapping[str, Measure], setting: Setting, say: Say) -> Ran:
    """Measure every part that can be, and leave a result and its table in `setting.out` for each."""
    setting.out.mkdir(parents=True, exist_ok=True)
    results: list[PartResult] = []
    failures: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        place = f"part {number} of {len(parts)}, {part.name}"
        try:
            awaited = expected(part, setting)
            known = _known(part, setting)
            if known is not None and known.key == awaited.key:
                say(f"{place}: as it was")
                results.append(known)
                continue
            say(f"{place}: {part.title}")
            results.append(_keep(part, awaited, measures[part.name](setting), setting))
        except (SidewitnessError, OSError) as error:
            failures[part.name] = str(error)
            say(f"{place}: not measured: {error}")
    return Ran(tuple(results), failures)


def expected(part: Part, setting: Setting) -> PartResult:
    """Say what a result of this part would hold for, without its figures.

    Raises `SuiteError` where data are absent and `EngineError` where a pack is.
    """
    if absent := [name for name in part.data if not (setting.data / name).is_file()]:
        raise SuiteError(f"{setting.data} holds no {' and no '.join(absent)}")
    splits = [RESEARCH_SPLIT.with_name(f"{name}.csv") for name in part.splits]
    result = PartResult(
        part.name,
        part.version,
        pack_files(part.packs, setting.models),
        {},
        data_files([*(setting.data / name for name in part.data), *splits]),
        {fold: pack_files([SPEECH], packs) for fold, packs in setting.across} if part.across else {},
        pack_files(part.built, setting.models, absent=True),
        limit=setting.limit,
    )
    return replace(result, key=_key(part, result))


def _key(part: Part, result: PartResult) -> str:
    """Name all that figures depend on in a few letters."""
    settings = [FEATURES_VERSION, SCORING, asdict(DecisionConfig()), code(part.code)]
    return hashlib.sha256(json.dumps([asdict(result), settings], sort_keys=True, default=str).encode()).hexdigest()[:32]


def _known(part: Part, setting: Setting) -> PartResult | None:
    path = setting.out / f"{part.name}.json"
    try:
        return PartResult.from_json(path.read_text(), str(path))
    except (OSError, SuiteError):
        return None


def _keep(part: Part, awaited: PartResult, figures: Mapping[str, object], setting: Setting) -> PartResult:
    # As it is read again: what JSON changes is changed before the first table is made.
    result = PartResult.from_json(replace(awaited, figures=figures).to_json(), part.name)
    table = "\n".join(part.table(result.figures)) + "\n"
    (setting.out / f"{part.name}.md").write_text(table)
    (setting.out / f"{part.name}.json").write_text(result.to_json())
    return result

"""What is installed: Python, packages, model packs, detectors, engines, extras and what the tests use."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from monitor.detectors.check import Check, check_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def python(version: tuple[int, int]) -> Check:
    """Check for Python 3.11 to 3.13."""
    text = ".".join(map(str, version))
    if (3, 11) <= version <= (3, 13):
        return Check("python", "ok", text)
    return Check("python", "failed", f"{text}, not 3.11 to 3.13", "make an environment with Python 3.11, 3.12 or 3.13")


def requirements() -> list[str] | None:
    """Return what the installed distribution says it needs, None when it is not installed."""
    try:
        return importlib.metadata.requires("sidewitness") or []
    except importlib.metadata.PackageNotFoundError:
        return None


def packages(required: list[str] | None) -> Check:
    """Check that every requirement without a marker is there, in the pinned version where one is pinned."""
    if required is None:
        return Check("packages", "failed", "sidewitness itself is not installed", "python -m pip install -e .")
    wrong = []
    needed = [line for line in required if ";" not in line]
    for line in needed:
        name = re.match(r"[\w.-]+", line)
        pin = re.search(r"==([\w.]+)$", line)
        try:
            installed = importlib.metadata.version(name.group() if name else line)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{line} is missing")
            continue
        if pin and installed != pin.group(1):
            wrong.append(f"{line} is {installed}")
    if wrong:
        return Check("packages", "failed", "; ".join(wrong), "python -m pip install --force-reinstall sidewitness")
    return Check("packages", "ok", f"{len(needed)} requirements installed")


def packs() -> Iterator[Check]:
    """Check that every model pack of a session is there, whole, and calibrated."""
    from engines.base import MODELS, EngineError
    from engines.packs import load_pack
    from monitor.session.models import PACKS

    for name in PACKS:
        try:
            manifest = load_pack(MODELS / name).manifest
        except EngineError as error:
            yield check_of(f"model pack {name}", error)
        else:
            yield Check(
                f"model pack {name}",
                "ok",
                f"{manifest.version}, sha256 {manifest.sha256[:12]}, every file as in its manifest",
            )


def speech(folder: Path | None = None) -> Check:
    """Say which of two conditions hears speech beside WebRTC's detector: the network, or the simpler one."""
    from engines.base import MODELS, EngineError
    from engines.packs import load_pack
    from monitor.session.models import PRESENCE

    pack = (folder or MODELS) / PRESENCE
    if not pack.exists():
        detail = "by rhythm: no network was built; stricter, so fewer seconds are judged"
        remedy = "make speech, or sidewitness engines import silero-vad WHEEL --accept-licence"
        return Check("speech is heard", "optional", detail, remedy)
    try:
        manifest = load_pack(pack).manifest
    except EngineError as error:
        return check_of("speech is heard", error)
    return Check("speech is heard", "ok", f"by the network {PRESENCE}, {manifest.licence}, {manifest.sha256[:12]}")


def detectors() -> Iterator[Check]:
    """Check every detector that is installed."""
    from engines.base import MODELS
    from engines.errors import SidewitnessError
    from monitor.detectors import registry

    try:
        installed = registry.detectors()
    except SidewitnessError as error:
        yield check_of("detectors", error)
        return
    for detector in installed:
        yield Check(f"detector {detector.info.name}", "ok", detector.info.question)
        yield from detector.check(MODELS)


def engines() -> Iterator[Check]:
    """Check every engine there is, those of other packages too."""
    from engines.registry import engine_names

    for name in engine_names():
        yield engine(name)


def engine(name: str) -> Check:
    """Check that an engine can run; one that every installation has must."""
    from engines.base import EngineError
    from engines.load import probe_engine
    from engines.registry import find_engine

    check, required = f"engine {name}", False
    try:
        spec = find_engine(name)
        required = spec.required
        return Check(check, "ok", probe_engine(spec))
    except EngineError as error:
        if required:
            return Check(check, "failed", str(error), "reinstall sidewitness on a 64-bit Linux with AVX2")
        detail, _, remedy = str(error).rpartition(": ")
        return Check(check, "optional", f"{detail}; only this engine uses it", remedy)


def decoders() -> Check:
    """Check that the media library reads what browsers send."""
    try:
        import av

        for codec in ("vp8", "h264", "opus"):
            av.Codec(codec, "r")
    except (ImportError, ValueError) as error:
        return Check("decoders", "failed", f"{error}", "python -m pip install --force-reinstall av")
    return Check("decoders", "ok", f"vp8, h264, opus (PyAV {av.__version__})")


def clip_decoding() -> Check:
    """Start the process that decodes recordings, and check that it can do nothing else."""
    from monitor.tap.clip_process import try_out
    from monitor.tap.media.config import ClipLimits
    from monitor.tap.media.source import SourceError

    check, remedy = "clip decoding", "let this user start processes: recordings are decoded in one of their own"
    try:
        told = try_out()
    except (SourceError, OSError, ValueError) as error:
        return Check(check, "failed", f"{error}", remedy)
    words = {
        "filtered": "system calls filtered",
        "locked": "no new privileges",
        "unprivileged": "not root",
        "offline": "a network namespace without a network",
    }
    in_force, absent = ([word for name, word in words.items() if told[name] is state] for state in (True, False))
    detail = ", ".join([f"a process of its own, {ClipLimits().memory_bytes >> 30} GiB", *in_force])
    if told["filtered"] and told["unprivileged"]:
        return Check(check, "ok", detail)
    return Check(check, "optional", f"{detail}; not here: {', '.join(absent)}", "run it on Linux (x86_64, aarch64)")


def extras() -> Iterator[Check]:
    """Say of every extra whether its packages are installed."""
    from engines.extras import EXTRAS, install, missing, package

    for name, extra in EXTRAS.items():
        absent = ", ".join(map(package, missing(*extra.modules)))
        if absent:
            yield Check(f"extra {name}", "optional", f"{absent} missing; only for {extra.users}", install(name))
        else:
            yield Check(f"extra {name}", "ok", f"installed, for {extra.users}")


def browser() -> Check:
    """Look for a browser, which the end-to-end tests use."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path:
        return Check("chromium", "ok", path)
    return Check("chromium", "optional", "not found; only the end-to-end tests use it", "apt-get install chromium")


def data() -> Check:
    """Look for the research clips, which training and some tests use."""
    folder = os.environ.get("SIDEWITNESS_DATA")
    if folder and (Path(folder) / "clips.csv").is_file():
        return Check("research data", "ok", folder)
    detail = f"no clips.csv in {folder}" if folder else "SIDEWITNESS_DATA is not set"
    return Check(
        "research data",
        "optional",
        f"{detail}; only training and some tests use it",
        "set it to the folder of clips.csv",
    )

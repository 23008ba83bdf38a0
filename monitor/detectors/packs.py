"""Where a detector finds its model packs and the tables that lie beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engines.base import MODELS, Engine, EngineError
from engines.load import load_engine
from engines.packs import open_pack
from engines.registry import EngineName

T = TypeVar("T")
# Makes an engine of the pack of this name in this folder.
Load = Callable[[str, EngineName, Path], Engine]


@dataclass(frozen=True, slots=True)
class PackLoader:
    """The packs of one process: the folder of an operator's own, the installation's where that lacks one.

    `later` makes an engine that only some calls need and may put its compilation off. `voice` is the sha256 of the
    encoder that fills the windows with voice vectors, None where any will do; `speech` names all that fill them with
    vectors of lips and voice, `beside_motion` is the sha256 of the encoder whose vectors lie beside motion, None where
    that is the same.
    """

    folder: Path = MODELS
    engine: EngineName = "openvino"
    load: Load = load_engine
    later: Load = load_engine
    voice: str | None = None
    speech: str | None = None
    beside_motion: str | None = None

    def home(self, pack: str) -> Path:
        """Say in which folder a pack is."""
        return home(pack, self.folder)

    def has(self, pack: str) -> bool:
        """Whether a pack is there."""
        return (self.home(pack) / pack).exists()

    def deferred(self, pack: str) -> Engine:
        """Load a pack that only some calls need; raises `EngineError`."""
        return self.later(pack, self.engine, self.home(pack))

    def beside(self, pack: str, file: str, parse: Callable[[bytes], T]) -> T | None:
        """Read a file of a pack, None where it is absent; raises `EngineError`."""
        return read_beside(self.home(pack) / pack, file, parse)


def home(pack: str, folder: Path) -> Path:
    """Say where a pack is: in the folder of an operator's own packs, else in the installation."""
    return folder if (folder / pack).exists() else MODELS


def read_beside(folder: Path, file: str, parse: Callable[[bytes], T]) -> T | None:
    """Read a file of the pack in `folder`, None where the pack is absent or has none; raises `EngineError`.

    What is parsed is what the manifest has the hash of, and somebody vouches for the manifest.
    """
    if not folder.exists():
        return None
    pack = open_pack(folder)
    if file not in pack.manifest.files:
        return None
    content, path = pack.read(file), folder / file
    try:
        return parse(content)
    except Exception as error:
        # A damaged file raises whatever its parser raises.
        raise EngineError(f"{path} cannot be read ({type(error).__name__}): reinstall the model pack") from None

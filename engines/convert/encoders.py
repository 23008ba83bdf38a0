"""Published speech encoders to model packs: one function for each system, all to the same layout.

A folder of packs holds `speech_lips` and `speech_voice`, the fronts that see each frame once, and where the system has
a transformer `speech_lips_context` and `speech_voice_context`, which see a window of what the fronts said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from engines.base import GRID_HZ, EngineError
from engines.convert.checkpoints import Checkpoint, fill, read
from engines.convert.export import ExportedGraph, export_stream, export_window
from engines.convert.licences import LICENCES, Licence
from engines.convert.pack import write_pack

# A network over a window sees four seconds of the past and half a second ahead, and runs twice a second.
WINDOW_STEPS = 100
WINDOW_PREPROCESSING = {
    "rate": GRID_HZ,
    "reach": 12,
    "window": WINDOW_STEPS,
    "chunk": 12,
    "example_length": WINDOW_STEPS,
}
LIPS, VOICE, CONTEXT = "speech_lips", "speech_voice", "_context"

CARD = """# {name}

{what} Converted from a published checkpoint of {system} ({origin}).

**Licence: {licence}.** {words}

## Where it comes from
- checkpoint: {file}
- sha256: {sha256}
- preprocessing: {preprocessing}

## What was not done
Nothing was trained here. How well these encoders tell genuine from forged in your calls was not measured by this
conversion: run `sidewitness evaluate --packs` on clips of your own, and `sidewitness train calibration --packs`; until
then every verdict with them is inconclusive.

Low agreement of lips and voice is evidence of a forgery. High agreement is **not** evidence of a genuine person.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One pack to be: its network, ready to be exported, and what its manifest says."""

    pack: str
    graph: ExportedGraph
    what: str
    preprocessing: Mapping[str, Any]
    source: Checkpoint
    metrics: Mapping[str, Any] = field(default_factory=dict)


def convert(system: str, checkpoints: Sequence[Path], out: Path, done: Callable[[str], None]) -> list[Path]:
    """Write the packs of `system` into `out`; `done` is called with each pack's name. Raises `EngineError`."""
    if any((out / name).exists() for side in (LIPS, VOICE) for name in (side, side + CONTEXT, side + "_head")):
        raise EngineError(f"{out} holds speech packs already: name another folder, or remove them first")
    folders = []
    for piece in SYSTEMS[system]([read(path) for path in checkpoints]):
        folder = out / piece.pack
        write_pack(
            folder,
            piece.graph.model,
            piece.graph.inputs,
            piece.graph.outputs,
            *_manifest_and_card(piece, LICENCES[system]),
        )
        folders.append(folder)
        done(piece.pack)
    return folders


def _manifest_and_card(piece: Piece, licence: Licence) -> tuple[dict[str, Any], str]:
    fields = {
        "name": piece.pack,
        "version": piece.source.sha256[:12],
        "licence": licence.name,
        "source": f"{licence.system}: {licence.origin}",
        "preprocessing": dict(piece.preprocessing),
        "recipe": {"imported": licence.system, "checkpoint_sha256": piece.source.sha256},
    }
    card = CARD.format(
        name=piece.pack,
        what=piece.what,
        system=licence.system,
        origin=licence.origin,
        licence=licence.name,
        words=licence.words.replace("\n", " "),
        file=piece.source.path.name,
        sha256=piece.source.sha256,
        preprocessing=", ".join(f"{key} {value}" for key, value in piece.preprocessing.items()),
    )
    return fields, card


def one(checkpoints: Sequence[Checkpoint], system: str) -> Checkpoint:
    """Give the only checkpoint; raises `EngineError` when there are several."""
    if len(checkpoints) != 1:
        raise EngineError(f"{system} has lips and voice in one checkpoint: name one file, not {len(checkpoints)}")
    return checkpoints[0]


def _lr_asd(checkpoints: Sequence[Checkpoint]) -> Iterator[Piece]:
    from engines.nets.lrasd import FACE, MFCC, PER_STEP, LrAsdFace, LrAsdVoice

    source = one(checkpoints, "LR-ASD")
    sides = (
        (LIPS, LrAsdFace(), "visualEncoder.", "face", (FACE, FACE), {"pictures": "face112"}, "Faces to 128 numbers"),
        (VOICE, LrAsdVoice(), "audioEncoder.", "mfcc", (PER_STEP, MFCC), {"sound": "mfcc13"}, "MFCCs to 128 numbers"),
    )
    for _, net, prefix, *_ in sides:
        tensors = source.below((f"model.{prefix}", prefix, f"module.model.{prefix}"), "block1.t_1.weight")
        if tensors is None:
            raise EngineError(f"{source.path.name} lacks {prefix}block1.t_1.weight: is it a checkpoint of LR-ASD?")
        fill(net, tensors, source.path.name)
    for pack, net, _, tensor, shape, input_kind, what in sides:
        graph = export_stream(net, tensor, shape, pack.removeprefix("speech_"))
        preprocessing = {"rate": GRID_HZ, "reach": net.reach, **input_kind}
        yield Piece(
            pack, graph, f"{what}, 25 times a second; a head must bring both into one space.", preprocessing, source
        )


def _avhubert(checkpoints: Sequence[Checkpoint]) -> Iterator[Piece]:
    from engines.nets.avhubert import BANDS, MOUTH, AvHubertContext, AvHubertLips, AvHubertVoice, Sizes, sizes_of

    source = one(checkpoints, "AV-HuBERT")
    tensors = source.below(("", "encoder.w2v_model.", "w2v_model.", "model."), "post_extract_proj.weight") or {}
    sizes: Sizes = _sizes(sizes_of, tensors, source, "AV-HuBERT")
    lips, voice = AvHubertLips(sizes.width), AvHubertVoice(sizes.width)
    contexts = {LIPS: AvHubertContext(sizes, "lips"), VOICE: AvHubertContext(sizes, "voice")}
    fill(lips, _under(tensors, "feature_extractor_video."), source.path.name)
    fill(voice, _under(tensors, "feature_extractor_audio."), source.path.name)
    for context in contexts.values():
        fill(context, tensors, source.path.name)
    preprocessing = {"rate": GRID_HZ, "reach": lips.reach, "pictures": "mouth88"}
    graph = export_stream(lips, "mouth", (MOUTH, MOUTH), "lips")
    yield Piece(LIPS, graph, f"Mouths to the front-end's {sizes.width} numbers.", preprocessing, source)
    preprocessing = {"rate": GRID_HZ, "reach": voice.reach, "sound": "fbank104"}
    graph = export_stream(voice, "fbank", (BANDS,), "voice")
    yield Piece(VOICE, graph, f"Filterbanks to the front-end's {sizes.width} numbers.", preprocessing, source)
    for side, context in contexts.items():
        graph = export_window(context, "frames", sizes.width, side.removeprefix("speech_"))
        what = f"The transformer over a window ({sizes.width} numbers, {sizes.layers} layers)."
        yield Piece(side + CONTEXT, graph, what, WINDOW_PREPROCESSING, source)


def _braven(checkpoints: Sequence[Checkpoint]) -> Iterator[Piece]:
    from engines.nets.braven import FRONT, MOUTH, BravenContext, BravenLips, BravenVoice, Sizes, sizes_of
    from engines.nets.resnet import STEP

    lips, voice = _braven_sides(checkpoints)
    sides = (
        (LIPS, lips, BravenLips(), "mouth", (MOUTH, MOUTH), {"pictures": "mouth88"}),
        (VOICE, voice, BravenVoice(), "wave", (STEP,), {"sound": "wave640"}),
    )
    contexts = {}
    for side, source, front, *_ in sides:
        tensors = source.below(_BRAVEN, "embed.0.weight") or {}
        sizes: Sizes = _sizes(sizes_of, tensors, source, "BRAVEn")
        contexts[side] = BravenContext(sizes)
        fill(front, tensors, source.path.name)
        fill(contexts[side], tensors, source.path.name)
    for side, source, front, tensor, shape, input_kind in sides:
        output = side.removeprefix("speech_")
        preprocessing = {"rate": GRID_HZ, "reach": front.reach, **input_kind}
        yield Piece(
            side, export_stream(front, tensor, shape, output), "The front-end, 512 numbers.", preprocessing, source
        )
        graph = export_window(contexts[side], "frames", FRONT, output)
        what = f"The transformer over a window ({contexts[side].width} numbers)."
        yield Piece(side + CONTEXT, graph, what, WINDOW_PREPROCESSING, source)


_BRAVEN = ("encoder.", "", "model.encoder.", "backbone.", "model.backbone.")


def _braven_sides(checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, Checkpoint]:
    """Tell the lips' checkpoint from the voice's by their first convolution, whatever the order they are given in."""
    by_side = {}
    for checkpoint in checkpoints:
        for side, key in (("lips", "frontend.frontend3D.0.weight"), ("voice", "frontend.trunk.conv1.weight")):
            if checkpoint.below(_BRAVEN, key) is not None:
                by_side[side] = checkpoint
    missing = [side for side in ("lips", "voice") if side not in by_side]
    if missing or len(checkpoints) != len(by_side):
        what = f"no {missing[0]} encoder" if missing else "a file too many"
        raise EngineError(f"BRAVEn has a checkpoint for lips and one for voice, and there is {what}: name both files")
    return by_side["lips"], by_side["voice"]


def _sizes(
    read_sizes: Callable[[Mapping[str, Tensor]], Any],
    tensors: Mapping[str, Tensor],
    source: Checkpoint,
    system: str,
) -> Any:
    try:
        return read_sizes(tensors)
    except (KeyError, IndexError) as error:
        raise EngineError(f"{source.path.name} lacks {error}: is it a checkpoint of {system}?") from None


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


SYSTEMS: Mapping[str, Callable[[Sequence[Checkpoint]], Iterator[Piece]]] = {
    "avhubert": _avhubert,
    "braven": _braven,
    "lr-asd": _lr_asd,
}

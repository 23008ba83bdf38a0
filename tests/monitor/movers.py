"""Made-up people who move: what they say moves their face in their own proportions, and models that know only that.

The models are small enough to be written down: the tokens are the proportions in which the first number of the voice
moves the face, and the error is how far the movement lies from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.base import Arrays, FloatArray, Manifest, TensorSpec, check_inputs
from monitor.detectors.persona.companion import MotionPopulation
from monitor.detectors.persona.detector import PersonaPeople
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.reconstruction import Tokens
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow, windows_of
from monitor.face.expression import FACE_SHAPE_SIZE, HEAD_SIZE, ExpressionBasis
from monitor.window.grid import GRID_HZ
from tests.engines import packs

SIZE, VOICE, TOKENS = 4, 128, 2
WIDTH = SIZE + HEAD_SIZE


def proportions(person: int) -> FloatArray:
    """How strongly speaking moves each number of this person's face, (WIDTH,)."""
    return np.random.default_rng(100 + person).standard_normal(WIDTH).astype(np.float32)


def recording(person: int, seconds: float, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Motion (T, WIDTH) and voice (T, VOICE) of somebody who speaks all the time; other words with every seed."""
    random = np.random.default_rng(seed)
    voice = random.standard_normal((round(seconds * GRID_HZ), VOICE)).astype(np.float32)
    noise = random.standard_normal((len(voice), WIDTH))
    return (voice[:, :1] * proportions(person) + 0.3 * noise + 5.0).astype(np.float32), voice


def windows(person: int, seconds: float, seed: int = 0) -> list[MotionWindow]:
    """The windows of a recording, half a second apart."""
    motion, voice = recording(person, seconds, seed)
    every = np.ones(len(motion), np.bool_)
    return windows_of(motion, every, voice, every, 12)


def basis() -> ExpressionBasis:
    """A basis in which a few landmarks speak for a coefficient each."""
    return ExpressionBasis(
        np.zeros(FACE_SHAPE_SIZE, np.float32),
        np.eye(SIZE, FACE_SHAPE_SIZE, dtype=np.float32),
        np.ones(SIZE, np.float32),
        np.ones(2 * HEAD_SIZE, np.float32),
    )


def _manifest(
    name: str, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]], **about: Any
) -> Manifest:
    given, made = (tuple(TensorSpec(*item) for item in specs.items()) for specs in (inputs, outputs))
    return Manifest(name, "0", f"{name:-<64}", given, made, "", "", about)


WINDOW = {
    "motion": (WINDOW_STEPS, WIDTH),
    "voice": (WINDOW_STEPS, VOICE),
    "mask": (WINDOW_STEPS,),
    "tokens": (TOKENS, WIDTH),
    "timestep": (1,),
    "noise": (WINDOW_STEPS, WIDTH),
}
PLAN = {"timesteps": [0.3, 0.6], "noises": 1, "noise_seed": 1, "steps": WINDOW_STEPS, "features": WIDTH}


@dataclass
class Persona:
    """The error of a window beside what the tokens say."""

    manifest: Manifest = field(
        default_factory=lambda: _manifest("persona", WINDOW, {"error": (WINDOW_STEPS,)}, voice="v", **PLAN)
    )
    batches: list[int] = field(default_factory=list)

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        check_inputs(self.manifest, inputs)
        self.batches.append(len(inputs["motion"]))
        return {"error": (_residual(inputs) ** 2).mean(2) * inputs["mask"]}

    def warm_up(self) -> None:
        pass


@dataclass
class Fit:
    """The loss of a window and its gradient with respect to the tokens."""

    manifest: Manifest = field(
        default_factory=lambda: _manifest("persona_tokens", WINDOW, {"loss": (1,), "gradient": (TOKENS, WIDTH)}, **PLAN)
    )

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        check_inputs(self.manifest, inputs)
        apart = _residual(inputs) * inputs["mask"][:, :, None]
        steps = np.maximum(inputs["mask"].sum(1), 1)[:, None]
        loss = (apart**2).mean(2).sum(1, keepdims=True) / steps
        each = -2 * (apart * inputs["voice"][:, :, :1]).sum(1) / steps / WIDTH
        gradient = np.repeat(each[:, None] / TOKENS, TOKENS, axis=1)
        return {"loss": loss.astype(np.float32), "gradient": gradient.astype(np.float32)}

    def warm_up(self) -> None:
        pass


def model(inputs: Mapping[str, tuple[int, ...]], output: str) -> bytes:
    """A graph whose answer (STEPS,) is the mean square of the motion at each step; the rest is taken and ignored."""
    none = numpy_helper.from_array(np.zeros((), np.float32), "none")
    nodes = [
        helper.make_node("Mul", ["motion", "motion"], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["answer0"], axes=[2], keepdims=0),
    ]
    for n, (name, shape) in enumerate([item for item in inputs.items() if item[0] != "motion"]):
        axes = list(range(1, len(shape) + 1))
        nodes += [
            helper.make_node("ReduceMean", [name], [f"mean{n}"], axes=axes, keepdims=0),
            helper.make_node("Unsqueeze", [f"mean{n}", "one"], [f"column{n}"]),
            helper.make_node("Mul", [f"column{n}", "none"], [f"nothing{n}"]),
            helper.make_node("Add", [f"answer{n}", f"nothing{n}"], [f"answer{n + 1}"]),
        ]
    nodes.append(helper.make_node("Identity", [f"answer{len(inputs) - 1}"], [output]))

    def value(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    given = [value(name, *shape) for name, shape in inputs.items()]
    constants = [none, numpy_helper.from_array(np.array([1]), "one")]
    graph = helper.make_graph(nodes, "movement", given, [value(output, WINDOW_STEPS)], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = made.SerializeToString()
    return data


def _residual(inputs: Arrays) -> FloatArray:
    said = inputs["voice"][:, :, :1] * inputs["tokens"].mean(1)[:, None]
    return np.asarray(inputs["motion"] - said, np.float32)


@dataclass
class Companion:
    """How much each number moves, as a unit vector."""

    manifest: Manifest = field(
        default_factory=lambda: _manifest(
            "motion", {"motion": (WINDOW_STEPS, WIDTH + HEAD_SIZE), "mask": (WINDOW_STEPS,)}, {"embedding": (WIDTH,)}
        )
    )

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        check_inputs(self.manifest, inputs)
        moved = inputs["motion"][:, :, :WIDTH].std(1)
        return {"embedding": (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)}

    def warm_up(self) -> None:
        pass


def engines(companion: bool = True) -> PersonaEngines:
    """The models; their tokens of nobody say that speaking moves nothing."""
    nobody = np.zeros((TOKENS, WIDTH), np.float32)
    crowd = MotionPopulation(Companion().manifest.sha256, np.full(WIDTH, 0.3), 0.01 * np.eye(WIDTH), 0.1, 0.05, 0.02)
    return PersonaEngines(
        Persona(), basis(), Tokens(nobody, nobody + 0.1), Companion() if companion else None, crowd, Fit
    )


def people(engines: PersonaEngines, count: int = 40) -> PersonaPeople:
    """Genuine people whose measures spread as standard normal ones do."""
    random = np.random.default_rng(4)
    seconds = np.tile(np.repeat([1.5, 5.0], [6, 4]), count)
    scores = random.standard_normal((len(seconds), 2))
    return PersonaPeople(engines.key, -0.5, 0.2, 0.05, scores, seconds, np.repeat(np.arange(count), 10))


def write_packs(folder: Path, voice: str) -> None:
    """A folder with packs of movement: the error is how much somebody moves, whoever they are."""
    kinds = {
        "persona": ({**WINDOW}, {"error": (WINDOW_STEPS,)}, {"voice": voice, **PLAN}),
        "persona_tokens": ({**WINDOW}, {"loss": (WINDOW_STEPS,)}, {}),
        "motion": (
            {"motion": (WINDOW_STEPS, WIDTH + HEAD_SIZE), "mask": (WINDOW_STEPS,)},
            {"embedding": (WINDOW_STEPS,)},
            {},
        ),
    }
    for name, (inputs, outputs, about) in kinds.items():
        given, told = (tuple(TensorSpec(*item) for item in specs.items()) for specs in (inputs, outputs))
        graph = model(inputs, next(iter(outputs)))
        packs.write(folder, name=name, model=graph, inputs=given, outputs=told, preprocessing=about)
    made_up = engines()
    assert made_up.population is not None
    packs.put(folder / "persona/basis.npz", basis().to_bytes())
    packs.put(folder / "persona/tokens.npz", made_up.tokens.to_bytes())
    packs.put(folder / "motion/population.npz", made_up.population.to_bytes())

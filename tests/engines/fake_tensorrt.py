"""TensorRT made of its own interface: classes generated from the snapshot, behaviour from ONNX Runtime.

A method or argument that TensorRT does not have fails here, as does an argument of another type. A "plan" is the ONNX
with its profiles; an execution context runs it, when its stream gets to it, on what lies in the memory of `FakeCuda`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import onnxruntime

from tests.engines.fake_cuda import FakeCuda
from tests.engines.interfaces import golden

MAGIC = b"fake plan "


class Enum:
    """A member of an enum of pybind11: not an int, but turned into one."""

    def __init__(self, kind: str, name: str, value: int) -> None:
        self.kind, self.name, self.value = kind, name, value

    def __int__(self) -> int:
        return self.value


class Thing:
    """Base of every generated class; `trt` is the double that it belongs to."""

    trt: ClassVar[FakeTensorRt]


class FakeTensorRt:
    """What we use of the module `tensorrt`, on one fake GPU; `calls` is the record, `refuses` names what fails."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.calls: list[str] = []
        self.refuses: set[str] = set()
        self.cleared: set[str] = set()
        self.complains = ""
        self.dtype = "FLOAT"
        found = golden()["tensorrt"]
        self.__version__ = found["version"]
        self.interface = found
        for name, members in found["enums"].items():
            kind = name.rpartition(".")[2]
            values = SimpleNamespace(**{member: Enum(kind, member, value) for member, value in members.items()})
            if "." not in name:
                setattr(self, name, values)
            else:
                severity = values
        for name in found["classes"]:
            setattr(self, name, self._class(name))
        self.ILogger.Severity = severity

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"TensorRT has no {name}")

    def _class(self, name: str) -> type:
        recorded = self.interface["classes"][name]
        members: dict[str, Any] = {"trt": self, "_properties": set(recorded["properties"])}
        for method, overloads in recorded["methods"].items():
            behaviour = BEHAVIOUR.get(f"{name}.{method}")
            members[method] = self._method(name, method, overloads, behaviour)
        for property_name in recorded["properties"]:
            if found := BEHAVIOUR.get(f"{name}.{property_name}"):
                members[property_name] = property(found)
        if name == "IHostMemory":
            members["__bytes__"] = lambda memory: memory.content
        return type(name, (Thing,), members)

    def _method(self, kind: str, name: str, overloads: list[Any], behaviour: Callable[..., Any] | None) -> Any:
        def method(this: Any, *arguments: Any, **named: Any) -> Any:
            self.calls.append(f"{kind}.{name}")
            given = next(filter(None, (self._fit(o["arguments"], arguments, named) for o in overloads)), None)
            if given is None:
                raise TypeError(f"{kind}.{name}(): incompatible function arguments {arguments} {named}")
            if kind != "ILogger":
                self.cuda.need(f"{kind}.{name}")
            if f"{kind}.{name}" in self.refuses:
                return self._refusal(overloads[0]["returns"])
            if behaviour is None:
                raise NotImplementedError(f"the double does not do {kind}.{name}")
            return behaviour(this, *given[0])

        return functools.wraps(method)(method)

    @staticmethod
    def _refusal(returns: str) -> Any:
        return {"bool": False, "int": -1}.get(returns)

    def _fit(self, wanted: list[Any], given: tuple[Any, ...], named: dict[str, Any]) -> tuple[list[Any]] | None:
        if len(given) > len(wanted):
            return None
        values = list(given)
        for name, _, default in wanted[len(given) :]:
            if name in named:
                values.append(named[name])
            elif default is None:
                return None
        if set(named) - {name for name, _, _ in wanted[len(given) :]}:
            return None
        kinds = [kind for _, kind, _ in wanted]
        return (values,) if all(self._is(v, k) for v, k in zip(values, kinds, strict=False)) else None

    def _is(self, value: Any, kind: str) -> bool:
        if kind in self.interface["enums"] or kind == "Severity":
            return isinstance(value, Enum) and value.kind == kind
        if kind in self.interface["classes"]:
            return isinstance(value, self.__dict__[kind])
        simple: dict[str, Any] = {
            "str": str,
            "bool": bool,
            "Buffer": bytes,
            "tuple": tuple,
            "list": list,
            "SupportsInt": (int, np.integer),
        }
        if kind == "Dims":
            return isinstance(value, tuple | list) and all(isinstance(n, int) for n in value)
        return kind in simple and isinstance(value, simple[kind])

    def log_error(self, logger: Any, text: str) -> None:
        logger.log(self.ILogger.Severity.ERROR, text)


def _make(of: Thing, kind: str, **fields: Any) -> Any:
    made = object.__new__(getattr(of.trt, kind))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _put(this: Any, **fields: Any) -> bool:
    this.__dict__.update(fields)
    return True


def _new(this: Any, logger: Any) -> None:
    this.logger_ = logger
    if this.trt.complains:
        this.trt.log_error(logger, this.trt.complains)


def _parse(this: Any, model: bytes) -> bool:
    this.problems = []
    try:
        this.network.session = onnxruntime.InferenceSession(model)
    except Exception:
        this.problems = [_make(this, "ParserError")]
        return False
    this.network.model = model
    return True


def _set_shape(this: Any, name: str, least: Any, best: Any, most: Any) -> None:
    assert all(a <= b <= c for a, b, c in zip(least, best, most, strict=True))
    this.shapes[name] = [least, best, most]


def _add_profile(this: Any, profile: Any) -> int:
    this.profiles.append(profile.shapes)
    return len(this.profiles) - 1


def _build(this: Any, network: Any, config: Any) -> Any:
    this.trt.cuda.made["plan"] += 1
    head = json.dumps({"profiles": config.profiles}).encode()
    config.cache.content += b"timed;"
    return _make(this, "IHostMemory", content=MAGIC + head + b"\n" + network.model)


def _deserialize(this: Any, plan: bytes) -> Any:
    if not plan.startswith(MAGIC):
        this.trt.log_error(this.logger_, "magic tag does not match")
        return None
    head, _, model = plan[len(MAGIC) :].partition(b"\n")
    session = onnxruntime.InferenceSession(model)
    sides = {t.name: (mode, t) for mode in ("get_inputs", "get_outputs") for t in getattr(session, mode)()}
    return _make(this, "ICudaEngine", profiles=json.loads(head)["profiles"], session=session, sides=sides)


def _mode(this: Any, name: str) -> Any:
    modes = this.trt.TensorIOMode
    return modes.INPUT if this.sides[name][0] == "get_inputs" else modes.OUTPUT


def _context(this: Any, strategy: Any = None) -> Any:
    this.trt.cuda.made["context"] += 1
    return _make(this, "IExecutionContext", plan=this, profile=0, shapes={}, addresses={})


def _choose(this: Any, index: int, stream: int) -> bool:
    this.profile, this.shapes = index, {}
    return stream in this.trt.cuda.streams and index < len(this.plan.profiles)


def _input_shape(this: Any, name: str, shape: Any) -> bool:
    least, _, most = this.plan.profiles[this.profile][name]
    fits = len(shape) == len(least) and all(a <= n <= b for a, n, b in zip(least, shape, most, strict=True))
    this.shapes[name] = list(shape)
    return fits


def _shape(this: Any, name: str) -> list[int]:
    if name in this.shapes:
        return list(this.shapes[name])
    zeros = {key: np.zeros(shape, np.float32) for key, shape in this.shapes.items()}
    return list(this.plan.session.run([name], zeros)[0].shape)


def _address(this: Any, name: str, memory: int) -> bool:
    this.addresses[name] = memory
    return memory in this.trt.cuda.memory


def _execute(this: Any, stream: int) -> bool:
    cuda, shapes = this.trt.cuda, {name: tuple(shape) for name, shape in this.shapes.items()}
    assert set(this.addresses) == set(this.plan.sides)

    def work() -> None:
        inputs = {
            name: cuda.memory[this.addresses[name]].view(np.float32)[: int(np.prod(shape))].reshape(shape)
            for name, shape in shapes.items()
        }
        names = [name for name in this.addresses if name not in shapes]
        for name, values in zip(names, this.plan.session.run(names, inputs), strict=True):
            cuda.memory[this.addresses[name]][: values.nbytes] = values.reshape(-1).view(np.uint8)

    cuda.streams[stream].enqueue(work)
    return True


def _free(shape: list[Any]) -> list[int]:
    return [n if isinstance(n, int) else -1 for n in shape]


BEHAVIOUR: dict[str, Callable[..., Any]] = {
    "ILogger.__init__": lambda this: None,
    "Builder.__init__": _new,
    "Runtime.__init__": _new,
    "Builder.create_network": lambda this: _make(this, "INetworkDefinition", model=b""),
    "Builder.create_builder_config": lambda this: _make(this, "IBuilderConfig", profiles=[], cache=None),
    "Builder.create_optimization_profile": lambda this: _make(this, "IOptimizationProfile", shapes={}),
    "Builder.build_serialized_network": _build,
    "OnnxParser.__init__": lambda this, network, logger: this.__dict__.update(network=network),
    "OnnxParser.parse": _parse,
    "OnnxParser.num_errors": lambda this: len(this.problems),
    "OnnxParser.get_error": lambda this, index: this.problems[index],
    "ParserError.desc": lambda this: "no parser\nfor this",
    "ParserError.node_operator": lambda this: "Oddity",
    "ParserError.node_name": lambda this: "node_7",
    "IOptimizationProfile.set_shape": _set_shape,
    "IBuilderConfig.set_memory_pool_limit": lambda this, pool, size: None,
    "IBuilderConfig.clear_flag": lambda this, flag: this.trt.cleared.add(flag.name),
    "IBuilderConfig.create_timing_cache": lambda this, content: _make(this, "ITimingCache", content=content),
    "IBuilderConfig.set_timing_cache": lambda this, cache, mismatch: _put(this, cache=cache),
    "IBuilderConfig.get_timing_cache": lambda this: this.cache,
    "IBuilderConfig.add_optimization_profile": _add_profile,
    "ITimingCache.serialize": lambda this: _make(this, "IHostMemory", content=this.content),
    "Runtime.deserialize_cuda_engine": _deserialize,
    "ICudaEngine.num_io_tensors": lambda this: len(this.sides),
    "ICudaEngine.get_tensor_name": lambda this, index: list(this.sides)[index],
    "ICudaEngine.get_tensor_mode": _mode,
    "ICudaEngine.get_tensor_dtype": lambda this, name: getattr(this.trt.DataType, this.trt.dtype),
    "ICudaEngine.get_tensor_shape": lambda this, name: _free(this.sides[name][1].shape),
    "ICudaEngine.create_execution_context": _context,
    "IExecutionContext.set_optimization_profile_async": _choose,
    "IExecutionContext.set_input_shape": _input_shape,
    "IExecutionContext.get_tensor_shape": _shape,
    "IExecutionContext.set_tensor_address": _address,
    "IExecutionContext.execute_async_v3": _execute,
}

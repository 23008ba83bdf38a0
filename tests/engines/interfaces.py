"""The interfaces of TensorRT, pycuda and the CUDA driver, as far as we use them: names, signatures, values of enums.

`tests/golden/tensorrt_api.json` is read off the real packages, none of which runs without a GPU:

    python -m tests.engines.interfaces BINDINGS PYCUDA CUDA_H > tests/golden/tensorrt_api.json

BINDINGS is the unpacked wheel `tensorrt-cu13-bindings`. Its libraries are not needed to import it: three empty ones,
`libnvinfer.so.11`, `libnvinfer_plugin.so.11` and `libnvonnxparser.so.11`, with the symbols that `nm -D` says are
undefined, do on LD_LIBRARY_PATH. PYCUDA is the unpacked source of pycuda, CUDA_H the `cuda.h` of CUDA 13.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden" / "tensorrt_api.json"
CLASSES = (
    "Builder",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "ITimingCache",
    "OnnxParser",
    "ParserError",
    "Runtime",
)
ENUMS = ("BuilderFlag", "DataType", "ExecutionContextAllocationStrategy", "MemoryPoolType", "TensorIOMode")
# Layers are added by the parser, never by us; the inspector has another name in the runtime package.
LEFT_OUT = re.compile(r"__(?!init__)|_pybind11|add_(?!optimization_profile)|create_engine_inspector")
PYCUDA = ("init", "get_driver_version", "mem_alloc", "memcpy_dtoh_async", "memcpy_htod_async", "pagelocked_empty")
PYCUDA_CLASSES = ("Device", "Context", "Stream", "Event", "DeviceAllocation", "PagelockedHostAllocation")
DRIVER = (
    "cuStreamBeginCapture",
    "cuStreamEndCapture",
    "cuGraphInstantiate",
    "cuGraphLaunch",
    "cuGraphExecDestroy",
    "cuGraphDestroy",
    "cuGetErrorName",
)


def golden() -> dict[str, Any]:
    """Read the committed snapshot."""
    return dict(json.loads(GOLDEN.read_text()))


def of_module(module: Any) -> dict[str, Any]:
    """Take down the classes and enums that a package has of those above."""
    return {
        "version": module.__version__,
        "classes": {name: of_class(getattr(module, name)) for name in CLASSES if hasattr(module, name)},
        "enums": {
            **{name: _members(getattr(module, name)) for name in ENUMS if hasattr(module, name)},
            "ILogger.Severity": _members(module.ILogger.Severity),
        },
    }


def of_class(kind: type) -> dict[str, Any]:
    """Take down a class of pybind11: the overloads of each method as lists of [name, type, default], and properties."""
    methods: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, member in sorted(vars(kind).items()):
        if LEFT_OUT.match(name):
            continue
        if isinstance(member, property):
            properties[name] = {"settable": member.fset is not None}
        elif found := list(_overloads(name, member.__doc__ or "")):
            methods[name] = found
    return {"methods": methods, "properties": properties}


def _members(enum: Any) -> dict[str, int]:
    return {name: int(value) for name, value in enum.__members__.items()}


def _overloads(name: str, text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        found = re.match(rf"(?:\d+\. )?{re.escape(name)}\((self.*)\) -> (.+)$", line.strip())
        if found:
            arguments = [_argument(part) for part in _split(found[1])[1:]]
            yield {"arguments": arguments, "returns": _plain(found[2])}


def _split(text: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(<") - (letter in "])>")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _argument(text: str) -> list[Any]:
    name, _, rest = text.partition(": ")
    kind, given, default = rest.partition(" = ")
    return [name, _plain(kind), default if given else None]


def _plain(text: str) -> str:
    return re.sub(r"\b\w+(?:\.\w+)*\.(?=\w)|nvinfer1::|nvonnxparser::|v_1_0::", "", text)


def of_pycuda(source: Path) -> dict[str, Any]:
    """Take down what the C++ of pycuda declares: its version, functions, and the members of classes."""
    text = (source / "src" / "wrapper" / "wrap_cudadrv.cpp").read_text()
    functions = {}
    for name in PYCUDA:
        found = re.search(rf'py::def\("{name}",(.*?)\);', text, re.S)
        arguments = re.findall(r'py::arg\("(\w+)"\)(=)?', _args(found[1]) if found else "")
        functions[name] = [[argument, "default" if given else None] for argument, given in arguments]
    functions["mem_alloc"] = [["bytes", None]]
    classes = {}
    for name in PYCUDA_CLASSES:
        body = re.search(rf'"{name}",\s*py::(?:no_init|init<)(.*?)\n  }}', text, re.S)
        members = re.findall(
            r'DEF_SIMPLE_METHOD\((\w+)\)|\.def\("(\w+)"|add_property\("(\w+)"', body[1] if body else ""
        )
        classes[name] = sorted({next(filter(None, found)) for found in members})
    version = re.search(r"^Version: (.+)$", (source / "PKG-INFO").read_text(), re.M)
    return {"version": version[1] if version else "", "functions": functions, "classes": classes}


def _args(text: str) -> str:
    # py::args("a", "b") names two at once.
    return re.sub(
        r"py::args\(([^)]*)\)",
        lambda found: ", ".join(f"py::arg({name.strip()})" for name in found[1].split(",")),
        text,
    )


def of_header(header: Path) -> dict[str, Any]:
    """Take down the prototypes of `cuda.h`, each under the symbol that the library exports."""
    text = header.read_text()
    version = re.search(r"#define CUDA_VERSION (\d+)", text)
    renamed: dict[str, str] = {}
    for old, new in re.findall(r"#define (cu\w+)\s+(?:__CUDA_API_PTSZ\()?(cu\w+)\)?\n", text):
        renamed.setdefault(old, new)
    prototypes = {}
    for name in DRIVER:
        # The first is the current one; those after it are of older versions.
        found = re.search(rf"^CUresult CUDAAPI {name}\((.*?)\);", text, re.M)
        prototypes[renamed.get(name, name)] = [" ".join(part.split()) for part in found[1].split(",")] if found else []
    return {"version": version[1] if version else "", "prototypes": prototypes}


def main() -> int:
    """Print the snapshot of the packages that are named."""
    bindings, pycuda, header = map(Path, sys.argv[1:])
    sys.path.insert(0, str(bindings))
    tensorrt = of_module(importlib.import_module("tensorrt_bindings"))
    found = {"tensorrt": tensorrt, "pycuda": of_pycuda(pycuda), "cuda": of_header(header)}
    sys.stdout.write(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

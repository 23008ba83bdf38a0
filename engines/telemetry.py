"""Nothing is told to the makers of the runtimes: both of these would, of every start, unasked.

ONNX Runtime 1.31 keeps an identifier of the machine and collects events for its maker from the moment it is imported;
OpenVINO 2026.4 sends an event to an analytics service when it is imported. What a silent witness runs on is silent too.
"""

from __future__ import annotations

import os
import sys

# Read by ONNX Runtime when it is imported; whoever has set it, has decided.
ONNX_RUNTIME_VARIABLE = "ORT_DISABLE_TELEMETRY"
# OpenVINO does without this package where it cannot be imported.
OPENVINO_PACKAGE = "openvino_telemetry"


def switch_off() -> None:
    """Switch it off for this process and those that it starts; called before any runtime is imported."""
    os.environ.setdefault(ONNX_RUNTIME_VARIABLE, "1")
    # None in the table of modules is how an import is made to fail (Python reference, 5.3.1).
    sys.modules.setdefault(OPENVINO_PACKAGE, None)  # type: ignore[arg-type]

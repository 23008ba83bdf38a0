"""What crosses between a gateway and its hosts, as JSON and back: values, arrays, and a closed list of types. Pure.

A decoded value is of the types in `TYPES` and of nothing else, whatever was sent: no name is looked up anywhere, and
nothing is run. A dataclass travels as its fields in their order, so both ends must be of one `VERSION`
(`monitor.host.cluster.frames`), which is compared before anything else is said.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from engines.errors import SidewitnessError
from monitor.alerts.finding import Finding, OpenFinding
from monitor.decision.contrast import Heard
from monitor.decision.decide import DecisionConfig, DecisionState
from monitor.decision.edetector import EDetector
from monitor.decision.evidence import Evidence
from monitor.decision.rejoin import Join
from monitor.decision.turns import Turn, Turned, Turns
from monitor.detectors.synchrony.carried import Carried
from monitor.detectors.synchrony.offset import Curve, Track
from monitor.host.calls import ActionStatus, Outcome
from monitor.host.cluster.ledger import Seat
from monitor.host.departed import Departed, Past
from monitor.identity.claimed import Claimed, Considered
from monitor.identity.names import Likeness, Match
from monitor.types import Action, ActionKind, Aspect, Claim, ParticipantKey, Profile, Reason, Verdict
from plugins.base import Listed

DATACLASSES: tuple[type[Any], ...] = (
    Action,
    Carried,
    Claimed,
    Considered,
    Curve,
    DecisionConfig,
    DecisionState,
    Departed,
    EDetector,
    Evidence,
    Finding,
    Heard,
    Join,
    Likeness,
    Listed,
    OpenFinding,
    Outcome,
    ParticipantKey,
    Past,
    Profile,
    Seat,
    Track,
    Turned,
    Turns,
)
ENUMS: tuple[type[Enum], ...] = (ActionKind, ActionStatus, Aspect, Claim, Match, Reason, Turn, Verdict)
TYPES: Mapping[str, type[Any]] = {one.__name__: one for one in (*DATACLASSES, *ENUMS)}
_FIELDS = {one: tuple(field.name for field in fields(one)) for one in DATACLASSES}
# Of arrays: whatever else there is would be read as something that it is not.
DTYPES = frozenset({"<f4", "<f8", "<i4", "<i8", "|b1", "|u1"})
# Marks what is not what JSON would take it for; a mapping with such a key travels as its items.
_MARK = "$"
MAX_DEPTH = 32


class ValueCodecError(SidewitnessError):
    """What came, or was to be sent, is none of the values that cross; the message says which, without its content."""


def encode(value: Any) -> Any:
    """Return `value` in JSON's types; raises `ValueCodecError` for what is none of `TYPES`."""
    if isinstance(value, Enum):
        return {_MARK: "enum", "of": _name(value), "v": value.value}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_MARK: "float", "v": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {_MARK: "tuple", "v": [encode(item) for item in value]}
    if isinstance(value, dict | MappingProxyType):
        return _encode_mapping(value)
    if type(value) in _FIELDS:
        return {_MARK: "data", "of": _name(value), "v": [encode(getattr(value, name)) for name in _FIELDS[type(value)]]}
    return _encode_other(value)


def decode(value: Any, depth: int = 0) -> Any:
    """Return what `encode` was given; raises `ValueCodecError` for anything else."""
    if depth > MAX_DEPTH:
        raise ValueCodecError("a value is nested too deeply")
    if isinstance(value, list):
        return [decode(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if _MARK not in value:
        return {key: decode(item, depth + 1) for key, item in value.items()}
    try:
        return _DECODERS[value[_MARK]](value, depth + 1)
    except ValueCodecError:
        raise
    except (KeyError, TypeError, ValueError, binascii.Error, OverflowError) as error:
        raise ValueCodecError(f"a value cannot be read ({type(error).__name__})") from None


def _name(value: object) -> str:
    kind = type(value)
    if TYPES.get(kind.__name__) is not kind:
        raise ValueCodecError(f"{kind.__name__} does not cross between processes")
    return kind.__name__


def _encode_mapping(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str for key in value) and _MARK not in value:
        return {key: encode(item) for key, item in value.items()}
    return {_MARK: "dict", "v": [[encode(key), encode(item)] for key, item in value.items()]}


def _encode_other(value: Any) -> Any:
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, np.ndarray) and value.dtype.str in DTYPES:
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {_MARK: "array", "of": value.dtype.str, "shape": list(value.shape), "v": data}
    if isinstance(value, bytes):
        return {_MARK: "bytes", "v": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        return {_MARK: "time", "v": value.isoformat()}
    if isinstance(value, frozenset):
        return {_MARK: "set", "v": sorted((encode(item) for item in value), key=repr)}
    raise ValueCodecError(f"{type(value).__name__} does not cross between processes")


def _array(value: Mapping[str, Any], _depth: int) -> Any:
    if value["of"] not in DTYPES:
        raise ValueCodecError("an array is of a type that does not cross between processes")
    data = base64.b64decode(value["v"], validate=True)
    # A copy: what is read from a message is nobody's to write into.
    return np.frombuffer(data, value["of"]).reshape([int(size) for size in value["shape"]]).copy()


def _data(value: Mapping[str, Any], depth: int) -> Any:
    kind = TYPES[value["of"]]
    names = _FIELDS[kind]
    return kind(**dict(zip(names, (decode(item, depth) for item in value["v"]), strict=True)))


def _enum(value: Mapping[str, Any], _depth: int) -> Any:
    kind = TYPES[value["of"]]
    if kind not in ENUMS:
        raise ValueCodecError("a word is of a type that does not cross between processes")
    return kind(value["v"])


_DECODERS: Mapping[str, Callable[[Mapping[str, Any], int], Any]] = {
    "array": _array,
    "bytes": lambda value, _depth: base64.b64decode(value["v"], validate=True),
    "data": _data,
    "dict": lambda value, depth: {decode(key, depth): decode(item, depth) for key, item in value["v"]},
    "enum": _enum,
    "float": lambda value, _depth: float(value["v"]),
    "set": lambda value, depth: frozenset(decode(item, depth) for item in value["v"]),
    "time": lambda value, _depth: datetime.fromisoformat(value["v"]),
    "tuple": lambda value, depth: tuple(decode(item, depth) for item in value["v"]),
}

"""Errors that cross a link as what they are: a refusal on a host is the same refusal at the gateway. Pure."""

from __future__ import annotations

from typing import Any

from engines.errors import SidewitnessError
from monitor.config import ConfigError
from monitor.host.calls import AtCapacity, InvalidName, Occupied
from monitor.tap.rtp.sdp import SdpError


class HostError(SidewitnessError):
    """A host could not do what it was asked; its log says why."""


def told(error: BaseException) -> list[Any]:
    """Return what is said of an error to the other end: of what is not expected, its type only."""
    match error:
        case AtCapacity():
            return ["at_capacity", str(error), error.retry_after]
        case Occupied():
            return ["occupied", error.retry_after]
        case InvalidName():
            return ["invalid_name", str(error)]
        case SdpError():
            return ["sdp", error.status, error.title, error.detail]
        case ConfigError():
            return ["config", str(error)]
        case TimeoutError():
            return ["timeout"]
        case _:
            return ["failed", type(error).__name__]


def error_of(words: list[Any]) -> Exception:
    """Return the error of which this was said."""
    match words:
        case ["at_capacity", str(why), int(retry_after)]:
            return AtCapacity(why, retry_after)
        case ["occupied", int(retry_after)]:
            return Occupied(retry_after)
        case ["invalid_name", str(why)]:
            return InvalidName(why)
        case ["sdp", int(status), str(title), str(detail)]:
            return SdpError(status, title, detail)
        case ["config", str(why)]:
            return ConfigError(why)
        case ["timeout"]:
            return TimeoutError()
        case ["failed", str(name)]:
            return HostError(f"a host failed ({name}): its log says why")
        case _:
            return HostError("a host has refused without a reason that is known here: update both ends")

"""How a tenant is called, and how the calls of one are told from those of another on the way through the host. Pure.

Two tenants may have calls of the same name. Where everybody is judged together, a call of another tenant than the
default one is called `TENANT/CALL`: nobody can ask for such a name, since `/` is in no name of a call.
"""

from __future__ import annotations

import re
from dataclasses import replace

from monitor.types import ParticipantKey

# Whoever configures no tenants has this one.
DEFAULT_TENANT = "default"
TENANT = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
SEPARATOR = "/"


def inside(tenant: str, name: str) -> str:
    """Return how a call, or whoever publishes, of a tenant is called where those of all tenants are together.

    Whatever the name is, `outside` gives the same tenant and name back.
    """
    return name if tenant == DEFAULT_TENANT and SEPARATOR not in name else f"{tenant}{SEPARATOR}{name}"


def outside(name: str) -> tuple[str, str]:
    """Return the tenant of a call, and what that tenant calls it."""
    tenant, separator, bare = name.partition(SEPARATOR)
    return (tenant, bare) if separator else (DEFAULT_TENANT, name)


def key_inside(tenant: str, key: ParticipantKey) -> ParticipantKey:
    """Return the key of a tenant's participant as it is where all tenants are together."""
    return replace(key, call=inside(tenant, key.call))


def key_outside(key: ParticipantKey) -> tuple[str, ParticipantKey]:
    """Return the tenant of a participant, and their key as that tenant knows it."""
    tenant, call = outside(key.call)
    return tenant, replace(key, call=call)

"""Which tenant a command is about: `sidewitness --tenant NAME ...`, else SIDEWITNESS_TENANT, else the default one."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.storage.tenancy.names import DEFAULT_TENANT

if TYPE_CHECKING:
    from monitor.config import Settings

VARIABLE = "SIDEWITNESS_TENANT"
chosen: ContextVar[str] = ContextVar("tenant", default=DEFAULT_TENANT)


def load(path: Path | None = None) -> Settings:
    """Read the settings as they are for the tenant that was chosen; raises `ConfigError`."""
    from monitor.storage.tenancy.settings import load_of_tenant

    return load_of_tenant(path, chosen.get())


def one_of_several(settings: Settings) -> str | None:
    """Return the tenant that was chosen, for what names it; None where there is the default one alone."""
    tenant = chosen.get()
    return None if tenant == DEFAULT_TENANT and not settings.tenants else tenant

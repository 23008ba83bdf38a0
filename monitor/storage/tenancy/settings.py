"""The setting `tenants`, and the settings as they are for one of them.

A tenant has stores of its own: a folder in the state directory, and with it journal, vault and master key, audit log,
report key and uploads; on PostgreSQL a schema of its own. Whatever opens a store takes `Settings`, so whatever is
opened with `of_tenant` is that tenant's, and nothing that it does reaches another's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from engines.documents import absolute_path
from monitor.config import (
    ClaimSettings,
    ConfigError,
    Settings,
    SinkSettings,
    SourceSettings,
    describe_error,
    load,
)
from monitor.storage.database import Database, Wording
from monitor.storage.tenancy.names import DEFAULT_TENANT, TENANT

MAX_TENANTS = 64
FOLDER = "tenants"
TOKEN_KEY = "tokens.key"  # noqa: S105 - the name of a file
SCHEMA_PREFIX = "sidewitness_"


class TenantOptions(BaseModel):
    """What a tenant has of its own; everything else is as for all.

    `database_url` is where its stores are, if not beside those of the default tenant. `max_participants` is how many of
    the places it may hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: SecretStr | None = None
    policy: Path | dict[str, Any] | None = None
    claims: ClaimSettings = ClaimSettings()
    sinks: tuple[SinkSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    findings_days: int | None = Field(default=None, ge=1, le=3650)
    cases_days: int | None = Field(default=None, ge=1, le=3650)
    max_participants: int | None = Field(default=None, ge=1, le=256)


def tenants_of(settings: Settings) -> Mapping[str, TenantOptions]:
    """Return the tenants that are configured beside the default one; raises `ConfigError`."""
    made = {}
    for name, written in settings.tenants.items():
        if not TENANT.fullmatch(name) or name == DEFAULT_TENANT:
            raise ConfigError(
                "setting 'tenants' (SIDEWITNESS_TENANTS): a name is 1 to 32 of a-z, 0-9 and -, begins and ends with a "
                f"letter or digit, and is not {DEFAULT_TENANT}"
            )
        try:
            made[name] = TenantOptions.model_validate(written.model_extra or {})
        except ValidationError as error:
            raise ConfigError(describe_error(error, "tenants", name)) from None
    if len(made) > MAX_TENANTS:
        raise ConfigError(f"setting 'tenants' (SIDEWITNESS_TENANTS): there are at most {MAX_TENANTS}")
    return made


def of_tenant(settings: Settings, tenant: str) -> Settings:
    """Return the settings as they are for a tenant; raises `ConfigError` where it is not configured."""
    if tenant == DEFAULT_TENANT:
        return settings
    options = tenants_of(settings).get(tenant)
    if options is None:
        raise ConfigError(f"there is no tenant {tenant!r}: it is not in the setting 'tenants'")
    policy = absolute_path(options.policy) if isinstance(options.policy, Path) else options.policy
    anchors = settings.anchor_dir
    own = {
        "tenants": {},
        "state_dir": settings.state_dir / FOLDER / tenant,
        "anchor_dir": None if anchors is None else anchors / FOLDER / tenant,
        # One ring of keys signs for all; which tenant a token is of stands in it.
        "token_key_file": settings.token_key_file or settings.state_dir / TOKEN_KEY,
        "database_url": options.database_url or _schema_of(settings.database_url, tenant),
        "policy": policy,
        "claims": options.claims,
        "sinks": options.sinks,
        "sources": options.sources,
        "findings_days": options.findings_days or settings.findings_days,
        "cases_days": options.cases_days or settings.cases_days,
    }
    return settings.model_copy(update=own)


def load_of_tenant(path: Path | None, tenant: str) -> Settings:
    """Read the settings, and make ready what a command needs for a tenant; raises `ConfigError`."""
    settings = load(path)
    own = of_tenant(settings, tenant)
    if tenant != DEFAULT_TENANT:
        prepare(own)
    return own


def prepare(settings: Settings) -> None:
    """Make what has to be there before a tenant's stores are opened: folders, or a schema; raises `ConfigError`."""
    for folder in (settings.state_dir, settings.anchor_dir):
        if folder is not None:
            _make_private(folder)
    if settings.database_url is None:
        return
    url = settings.database_url.get_secret_value()
    schema = _searched(sa.make_url(url))
    if schema is None:
        return
    with closing(Database(url, Wording(ConfigError, "database"))) as database, database.transaction() as connection:
        # Not "if it is not there": that wants the right to make schemas of whoever is given one.
        if not sa.inspect(connection).has_schema(schema):
            connection.execute(sa.schema.CreateSchema(schema))


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if folder.parent.name == FOLDER:
            folder.parent.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used ({error.strerror}): set SIDEWITNESS_STATE_DIR") from None


def _schema_of(url: SecretStr | None, tenant: str) -> SecretStr | None:
    """Return where the stores of a tenant are that share a database with others; None where each has files."""
    if url is None:
        return None
    try:
        parsed = sa.make_url(url.get_secret_value())
    except (SQLAlchemyError, ValueError):
        raise ConfigError("database_url cannot be used: check its form") from None
    if parsed.get_backend_name() == "sqlite":
        return None
    schema = SCHEMA_PREFIX + tenant.replace("-", "_")
    own = parsed.update_query_dict({"options": f"-csearch_path={schema}"})
    return SecretStr(own.render_as_string(hide_password=False))


def _searched(url: sa.URL) -> str | None:
    """Return the schema that a URL of `_schema_of` names."""
    options = url.query.get("options", "")
    _, found, schema = (options if isinstance(options, str) else "").partition("-csearch_path=")
    return schema if found and schema.startswith(SCHEMA_PREFIX) else None

"""The settings of the server: the environment (`SIDEWITNESS_*`) over a YAML file over the defaults, and nothing else.

Loading either gives complete, checked `Settings` or raises `ConfigError` with one line that names the setting and says
what to do; no value of a setting is ever repeated in an error, because it may be a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from engines.base import EngineError
from engines.documents import DocumentError, absolute_path, expand, parse_yaml
from engines.errors import SidewitnessError
from engines.registry import EngineName, engine_names, find_engine

PREFIX = "SIDEWITNESS_"
CONFIG_VARIABLE = "SIDEWITNESS_CONFIG"
# Read by the tests and by commands, never a setting of the server.
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "SIDEWITNESS_DATA", "SIDEWITNESS_TENANT", "SIDEWITNESS_TRUSTED_PACKS"})
STRONG_TOKEN = 16
WINDOWS = (5.0, 10.0)
# Unreserved characters (RFC 3986, 2.3), no empty segment: `//elsewhere` in a Location would be another host.
PATH_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~\-]{1,64}){1,8}")
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.\-]{0,251}[a-z0-9_])?")
ORIGIN = re.compile(r"https?://[a-z0-9_.\-\[\]:]{1,262}")
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class ConfigError(SidewitnessError):
    """The configuration cannot be used; the message is one line that says what to do."""

    exit_status = 2


class IceServer(BaseModel):
    """A STUN or TURN server that is announced to publishers in `Link` headers (RFC 9725 section 4.6)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^(stun|stuns|turn|turns):[^\s<>\"]+$")
    username: str | None = Field(default=None, pattern=r"^[\x20-\x7e]*$")
    credential: SecretStr | None = None


class SinkSettings(BaseModel):
    """One alert sink: what every kind has; the options of its kind stand beside them and are checked when it opens.

    `name` (else the kind) is what its place in the journal is remembered by. A sink that is new is sent what is found
    from `now` on, or everything that is kept, from the `beginning`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(min_length=1)
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    start: Literal["now", "beginning"] = "now"

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show no options: they may be secrets."""
        return [("kind", self.kind), ("name", self.name), ("start", self.start)]


class SourceSettings(BaseModel):
    """One way into calls: the plug-in; its options stand beside it and are checked when it is opened."""

    model_config = ConfigDict(extra="allow", frozen=True)

    plugin: str = Field(min_length=1)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show no options: they may be secrets."""
        return [("plugin", self.plugin)]


class OidcSettings(BaseModel):
    """Sign-in by OpenID Connect; checked where it is used, in `monitor/api/access/oidc/options.py`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show nothing: a secret may be among it."""
        return []


class TenantSettings(OidcSettings):
    """One tenant; checked where it is used, in `monitor/storage/tenancy/settings.py`."""


class ClaimRule(BaseModel):
    """Who is taken to claim an identity: whoever has one of these, in this plug-in's calls or in all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity: str = Field(min_length=1, max_length=128)
    plugin: str | None = None
    platform_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class ClaimSettings(BaseModel):
    """How participants are mapped to enrolled identities: by rules, and by the names that they bear in calls.

    `by_name` says which names are enough to be compared with an enrolled person: their own in `full`, in `part` too,
    or `none`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by_name: Literal["full", "part", "none"] = "full"
    rules: tuple[ClaimRule, ...] = Field(default=(), max_length=10_000)


def default_state_dir() -> Path:
    """Return `sidewitness` in the XDG data directory of this user, `~` not written out yet."""
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "sidewitness"


class Settings(BaseSettings):
    """Every setting of the server; field names are the YAML keys and, with the prefix, the environment variables."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8480, ge=0, le=65535)
    admin_host: str = Field(default="127.0.0.1", min_length=1)
    admin_port: int | None = Field(default=None, ge=0, le=65535)
    token: SecretStr | None = None
    token_key_file: Path | None = None
    oidc: OidcSettings | None = None
    tenants: dict[str, TenantSettings] = {}
    state_dir: Path = Field(default_factory=default_state_dir)
    database_url: SecretStr | None = None

    window_seconds: float = 5.0
    hop_seconds: float = Field(default=0.5, ge=0.1, le=5.0)
    false_alerts_per_hour: float = Field(default=0.1, gt=0.0, le=60.0)
    engine: EngineName = "openvino"
    batching: Literal["auto", "on", "off"] = "auto"
    packs: Path | None = None
    max_participants: int = Field(default=8, ge=1, le=256)
    max_participants_per_token: int | None = Field(default=None, ge=1, le=256)
    max_connecting_per_token: int | None = Field(default=None, ge=1, le=256)
    workers: int | None = Field(default=None, ge=1, le=256)
    processes: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = 1
    cluster: str | None = Field(default=None, min_length=1)
    target_use: float = Field(default=0.7, gt=0.0, le=1.0)
    peers: tuple[str, ...] = ()
    peer_host: str = Field(default="127.0.0.1", min_length=1)
    peer_port: int = Field(default=8482, ge=0, le=65535)
    peer_secret: SecretStr | None = None

    ice_servers: tuple[IceServer, ...] = ()
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    max_upload_mb: int = Field(default=2048, ge=1, le=65536)
    max_sdp_bytes: int = Field(default=32768, ge=1024, le=262144)
    cors_origins: tuple[str, ...] = ("*",)
    allowed_hosts: tuple[str, ...] = ()
    alert_origins: tuple[str, ...] = ()
    max_connections_per_address: int = Field(default=64, ge=1, le=65536)
    root_path: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    leave_seconds: float = Field(default=60.0, ge=5.0, le=86400.0)
    rejoin_seconds: float = Field(default=600.0, ge=0.0, le=86400.0)

    vault_key: SecretStr | None = None
    vault_key_file: Path | None = None
    vault_kms: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    second_approver: bool = False
    anchors: tuple[Literal["file", "syslog", "stderr"], ...] = ("file",)
    anchor_dir: Path | None = None
    consent_required: bool = True
    consent_days: int = Field(default=730, ge=1, le=3650)
    retention_sweep_minutes: float = Field(default=60.0, ge=1.0, le=1440.0)

    findings_kept: int = Field(default=100_000, ge=1)
    findings_days: int | None = Field(default=None, ge=1, le=3650)
    cases_days: int | None = Field(default=None, ge=1, le=3650)
    sinks: tuple[SinkSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    claims: ClaimSettings = ClaimSettings()
    # A file, or its content; read and checked by `monitor.alerts.policy.document`.
    policy: Path | dict[str, Any] | None = None
    max_subscribers: int = Field(default=64, ge=1, le=4096)
    metrics_min_participants: int = Field(default=5, ge=1, le=256)
    try_scores: bool = False
    traces: Literal["off", "otlp"] = "off"
    drain_seconds: float = Field(default=10.0, ge=0.0, le=300.0)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if not value:
            # Container files leave a variable out by setting it empty: a token is made, as without it.
            return None
        if not all("!" <= char <= "~" for char in value.get_secret_value()):
            raise ValueError("use printable ASCII characters without spaces")
        return value

    @field_validator("engine")
    @classmethod
    def _engine_is_there(cls, value: EngineName) -> EngineName:
        names = engine_names()
        if value not in names:
            *first, last = map(repr, names)
            raise ValueError(f"Input should be {', '.join(first)} or {last}")
        try:
            find_engine(value)
        except EngineError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("window_seconds")
    @classmethod
    def _window_is_calibrated(cls, value: float) -> float:
        if value not in WINDOWS:
            raise ValueError("only 5 and 10 are calibrated, choose one of them")
        return value

    @field_validator("root_path")
    @classmethod
    def _root_path_is_a_path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not PATH_PREFIX.fullmatch(path):
            raise ValueError("write the path that the proxy shows, such as /sidewitness")
        return path

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower().removesuffix(".") for name in value)
        if not all(HOST_NAME.fullmatch(name) for name in names):
            raise ValueError("write names as they stand in an address, without scheme and port, such as meet.example")
        return names

    @field_validator("alert_origins")
    @classmethod
    def _origins_are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("write origins as browsers do, without a path, such as https://meet.example")
        return value

    @field_validator("vault_key", "peer_secret")
    @classmethod
    def _empty_key_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value or None

    @field_validator("vault_kms")
    @classmethod
    def _one_place_for_the_master_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        if sum(bool(given) for given in (value, info.data.get("vault_key"), info.data.get("vault_key_file"))) > 1:
            raise ValueError("set only one of vault_key, vault_key_file and vault_kms")
        return value

    @field_validator("state_dir", "packs", "vault_key_file", "token_key_file", "anchor_dir", "policy")
    @classmethod
    def _paths_are_absolute(cls, value: Any) -> Any:
        return absolute_path(value) if isinstance(value, Path) else value

    @property
    def health_port(self) -> int:
        """The port of health and metrics: `admin_port`, else the one above `port`; 0 is a free one."""
        if self.admin_port is not None:
            return self.admin_port
        # Above the last one there is none.
        return 0 if self.port == 0 else self.port + 1 if self.port < 65535 else self.port - 1

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine is listened to."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def batches(self) -> bool:
        """Whether participants are computed together: where `auto`, on GPUs only (docs/engines.md has the numbers)."""
        return self.batching == "on" or (self.batching == "auto" and find_engine(self.engine).batched)

    @property
    def session_threads(self) -> int | None:
        """Threads for sessions, None for as many as there are cores.

        Whoever waits for others holds a thread: where participants are computed together each needs one.
        """
        return max(self.workers or 1, self.max_participants) if self.batches else self.workers

    @property
    def journal_url(self) -> str:
        """The SQLAlchemy URL of the journal: `database_url`, else a SQLite file in the state directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.state_dir / 'journal.sqlite'}"

    @property
    def vault_url(self) -> str:
        """The SQLAlchemy URL of the vault: `database_url`, else a SQLite file of its own in the state directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.state_dir / 'vault.sqlite'}"


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings; `path` (else `SIDEWITNESS_CONFIG`) names a YAML file, `overrides` come from the command line.

    In the file `${NAME}` stands for a variable of the environment, `${file:/PATH}` for what a file holds. Raises
    `ConfigError` for an unreadable file, a missing variable, an unknown key or a value out of range.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    source = path or (Path(named) if named else None)
    written = _read_yaml(source) if source else {}

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            # No `.env` file: a working directory must not reconfigure a security product.
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=written)

    try:
        return Loaded(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(describe_error(error)) from None
    except SettingsError as error:
        raise ConfigError(f"{_variable_in(str(error))} is not valid JSON: lists are written as JSON arrays") from None


def prepare_state_dir(path: Path) -> None:
    """Create the state directory, readable by its owner only; raises `ConfigError` where it cannot be created."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"state_dir {path} cannot be used ({error.strerror}): set SIDEWITNESS_STATE_DIR") from None


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """List variables with our prefix that set nothing: misspellings, or what an orchestrator injects."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    return sorted(name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = parse_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name a readable YAML file") from None
    except DocumentError as error:
        where = "" if error.line is None else f" at line {error.line}"
        raise ConfigError(f"{path} is not valid YAML{where}: correct it, or leave it out") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise ConfigError(f"{path} holds no settings: write one `name: value` a line")
    try:
        written: dict[str, Any] = expand(raw, os.environ)
    except DocumentError as error:
        raise ConfigError(f"{path}: {error}") from None
    return written


def describe_error(error: ValidationError, *within: str | int) -> str:
    """Return one line that names the setting; `within` is where the model that was validated stands in the settings."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in (*within, *first["loc"])) or "settings"
    is_injected = name == "port" and os.environ.get(f"{PREFIX}PORT", "").startswith("tcp://")
    hint = " (Kubernetes set SIDEWITNESS_PORT: use enableServiceLinks: false)" if is_injected else ""
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r}: remove it or correct its spelling"
    message = first["msg"].removeprefix("Value error, ")
    return f"setting {name!r} ({PREFIX}{name.split('.')[0].upper()}): {message}{hint}"


def _variable_in(message: str) -> str:
    return PREFIX + next((name for name in Settings.model_fields if f'"{name}"' in message), "value").upper()

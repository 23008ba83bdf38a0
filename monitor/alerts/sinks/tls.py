"""Options of the sinks that connect to somewhere: which certificates are believed, and which addresses are allowed."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from engines.documents import absolute_path
from monitor.alerts.sinks.base import SinkOptions


class ConnectOptions(SinkOptions):
    """Options of every sink that connects.

    The system's certificate authorities are believed, or those of `ca_file` alone; there is no way not to verify.
    `client_certificate` and `client_key` are shown to a server that asks for them. Times are in seconds.
    """

    allow_private: bool = False
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    timeout_seconds: float = Field(default=20.0, ge=0.1, le=50.0)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, values: Any) -> Any:
        # What a variable without a value leaves behind (`${NAME:-}`).
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values

    @field_validator("ca_file", "client_certificate", "client_key")
    @classmethod
    def _paths_are_absolute(cls, value: Path | None) -> Path | None:
        return absolute_path(value) if value else None

    @model_validator(mode="after")
    def _certificates_can_be_read(self) -> Self:
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs client_certificate: set both")
        if self.ca_file is not None or self.client_certificate is not None:
            tls_context(self)
        return self


def tls_context(options: ConnectOptions) -> ssl.SSLContext:
    """Return what verifies the server's certificate and name; raises `ValueError` for files that cannot be read."""
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.client_certificate is not None:
            context.load_cert_chain(options.client_certificate, options.client_key)
    except (OSError, ssl.SSLError):
        raise ValueError("ca_file, client_certificate or client_key cannot be read: name files in PEM form") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

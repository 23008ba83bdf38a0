"""What every plug-in that receives WebRTC is configured with, and how its peer is bounded."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from monitor.tap.kit import IceServer, TapConfig, networks_at
from plugins.base import PluginOptions

# Of an end that is killed nothing else tells; it is joined again as soon as this has passed.
CONSENT_SECONDS = 6.0


class IceServerOptions(BaseModel):
    """A STUN or TURN server for our side."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^(stun|stuns|turn|turns):[^\s<>\"]+$")
    username: str | None = None
    credential: SecretStr | None = None


class WebRtcOptions(PluginOptions):
    """Media are taken from where the URL leads, from public addresses, and from `allowed_networks`.

    Within `connect_seconds` media must have come through.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ice_servers: tuple[IceServerOptions, ...] = ()
    connect_seconds: float = Field(default=10.0, ge=0.1, le=60.0)

    async def tap(self, host: str, leave_seconds: float = 60.0) -> TapConfig:
        """Return the limits of a peer of a server that is reached at `host`."""
        return TapConfig(
            leave_seconds=leave_seconds,
            allowed_networks=self.allowed_networks + await networks_at(host),
            handshake_seconds=self.connect_seconds,
            consent_seconds=CONSENT_SECONDS,
            ice_servers=tuple(
                IceServer(
                    server.url, server.username, server.credential.get_secret_value() if server.credential else None
                )
                for server in self.ice_servers
            ),
        )

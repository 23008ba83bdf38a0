"""What the plug-in `livekit` is configured with."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from plugins.base import PluginOptions
from plugins.protocols.livekit.roster import Reading
from plugins.webrtc import IceServerOptions

MAX_PORT = 65_535
Quality = Literal["low", "medium", "high"]


class LiveKitOptions(PluginOptions):
    """A `room`, or every room whose name fits one of `rooms` (`*` and `?` stand for anything), told of by webhooks.

    `identities` says who claims to be whom: a participant's identity, and the name of an enrolled person. What the
    platform alone writes into attributes counts: an e-mail address it has verified into `email_attribute`, an account
    into `account_attribute`. `e2ee_key` is the room's shared key, `quality` which layer of simulcast is asked for, and
    `note_topic` the topic under which clients take notes.
    """

    url: str = Field(pattern=r"^(ws|http)s?://[^\s/]+", max_length=2048)
    api_key: SecretStr = Field(min_length=1)
    api_secret: SecretStr = Field(min_length=1)
    room: str | None = Field(default=None, min_length=1, max_length=256)
    call: str | None = Field(default=None, min_length=1, max_length=128)
    webhook_listen: str | None = Field(default=None, pattern=r"^[^\s:]+:\d{1,5}$")
    rooms: tuple[str, ...] = ("*",)
    identity: str = Field(default_factory=lambda: f"sidewitness-{secrets.token_hex(4)}", min_length=1, max_length=128)
    identities: dict[str, str] = Field(default_factory=dict)
    email_attribute: str | None = Field(default=None, min_length=1, max_length=256)
    account_attribute: str | None = Field(default=None, min_length=1, max_length=256)
    e2ee_key: SecretStr | None = None
    quality: Quality = "high"
    note_topic: str = Field(default="lk-chat-topic", min_length=1, max_length=256)
    ice_servers: tuple[IceServerOptions, ...] = ()
    connect_seconds: float = Field(default=15.0, ge=0.1, le=60.0)

    @field_validator("room", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        # A room that is called by a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_way(self) -> LiveKitOptions:
        if (self.room is None) == (self.webhook_listen is None):
            raise ValueError("give room, or webhook_listen to join rooms as they open, and not both")
        if self.webhook_listen is not None and int(self.webhook_listen.rpartition(":")[2]) > MAX_PORT:
            raise ValueError(f"the port of webhook_listen is at most {MAX_PORT}")
        if self.call is not None and self.room is None:
            raise ValueError("call is for one room: calls are named after their rooms")
        return self

    @property
    def reading(self) -> Reading:
        """How rooms are read."""
        return Reading(self.e2ee_key is not None, self.email_attribute, self.account_attribute)

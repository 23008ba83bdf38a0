"""The sink `webhook`: one signed POST a change, after Standard Webhooks (https://www.standardwebhooks.com).

The receiver recognises a repeated message by `webhook-id`, which is the same whenever a change is sent. While a secret
is changed each message has two signatures, so that receivers may follow in their own time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, SinkSpec
from monitor.alerts.sinks.event import event_of
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Url
from monitor.types import rfc3339

PREFIX = "whsec_"
MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64


def signing_key(secret: SecretStr) -> bytes:
    """Return the key that a secret stands for; raises `ValueError`."""
    text = secret.get_secret_value().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"write whsec_ and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random bytes in base64")
    return key


def _is_secret(value: SecretStr) -> SecretStr:
    signing_key(value)
    return value


Secret = Annotated[SecretStr, AfterValidator(_is_secret)]


class WebhookOptions(HttpOptions):
    """Where to, and the secret that signs; `old_secret` signs beside it while receivers change to the new one."""

    url: Url
    secret: Secret
    old_secret: Secret | None = None


class WebhookSink(HttpSink):
    """Posts `{"type", "timestamp", "data"}`; `data` is the message of the WebSocket."""

    def __init__(self, options: WebhookOptions) -> None:
        super().__init__(options)
        self._url = options.url.get_secret_value()
        secrets = (options.secret, options.old_secret)
        self._keys = [signing_key(secret) for secret in secrets if secret is not None]

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return a request an item, signed when it is about to be sent: receivers refuse old ones."""
        for item in items:
            event = event_of(item)
            body = encode({"type": event.kind, "timestamp": rfc3339(event.time), "data": event.message}).encode()
            yield Post(self._url, body, signed(self._keys, event.id, int(time.time()), body))


def signed(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message; `timestamp` in seconds since 1970."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


SPEC = SinkSpec("webhook", WebhookOptions, WebhookSink, batch_entries=1)

"""Where LiveKit's webhooks come in: a listener of the plug-in's own, which takes what is signed with the API key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from livekit import api

from plugins import webhook
from plugins.livekit_options import LiveKitOptions
from plugins.protocols.livekit.webhook import MAX_BODY_BYTES, Notice, Seen, WebhookError, read

PATH = "/livekit"


def receiver(options: LiveKitOptions) -> Callable[[bytes, str | None], api.WebhookEvent]:
    """Return what reads a request with the key of some options; raises `WebhookError`."""
    verifier = api.TokenVerifier(options.api_key.get_secret_value(), options.api_secret.get_secret_value())
    parse = api.WebhookReceiver(verifier)
    return lambda body, authorization: read(
        body, authorization, verifier.verify, lambda text: parse.receive(text, _bare(authorization))
    )


def _bare(authorization: str | None) -> str:
    return (authorization or "").removeprefix("Bearer ").strip()


@asynccontextmanager
async def listening(options: LiveKitOptions, told: Callable[[Notice], None]) -> AsyncIterator[int]:
    """Listen for webhooks until the context ends; gives the port. Raises `Unavailable` where it cannot be had."""
    take, seen = receiver(options), Seen()

    def answer(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            event = take(body, headers.get("authorization"))
        except WebhookError:
            return 401, "{}"
        told(seen.notice(event))
        return 200, "{}"

    host, _, port = (options.webhook_listen or "").rpartition(":")
    async with webhook.listening(host, int(port), PATH, answer, MAX_BODY_BYTES) as port_had:
        yield port_had

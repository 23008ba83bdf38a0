"""Zoom calls by Realtime Media Streams: Zoom says by webhook that a call streams, and its people are judged by turns.

Zoom gives everybody's sound and the pictures of one person at a time: `plugins.protocols.zoom.turns` says of whom.
Everybody else is listed as not watched. Nothing is sent into the call.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from plugins.base import Intake, PluginOptions, PluginSpec, Unavailable
from plugins.protocols.zoom import webhook
from plugins.protocols.zoom.codes import Stop
from plugins.protocols.zoom.codes import stop as stop_of
from plugins.protocols.zoom.messages import Ids
from plugins.webhook import listening
from plugins.zoom_call import CallOptions, ZoomCall

# Streams that have ended, and those that were lost: their webhooks may be said again, or are yet to come.
MAX_ENDED = 256


class ZoomOptions(PluginOptions):
    """`client_id`, `client_secret` and `webhook_secret` are those of one app.

    Webhooks come to `path` at `listen` and `port`; Zoom wants an address with TLS: a proxy that has it passes them on.
    `identities` says who claims to be whom: the name that somebody shows, and that of an enrolled person. A turn lasts
    `dwell_seconds`. `ca_file` holds the certificates that Zoom's servers are trusted by, where a proxy opens TLS in
    your network.
    """

    client_id: str = Field(min_length=1, max_length=256)
    client_secret: SecretStr
    webhook_secret: SecretStr
    listen: str = Field(default="127.0.0.1", min_length=1, max_length=64)
    port: int = Field(default=8490, ge=1, le=65535)
    path: str = Field(default="/zoom/webhook", pattern=r"^/[A-Za-z0-9._~/\-]{0,200}$")
    call: str | None = Field(default=None, min_length=1, max_length=128)
    audio: Literal["L16", "opus"] = "L16"
    resolution: Literal["sd", "hd", "fhd"] = "hd"
    fps: int = Field(default=25, ge=15, le=30)
    dwell_seconds: float = Field(default=20.0, ge=10.0, le=600.0)
    identities: dict[str, str] = Field(default_factory=dict)
    max_calls: int = Field(default=8, ge=1, le=64)
    ca_file: Path | None = None

    def trust(self) -> ssl.SSLContext:
        """Return what Zoom's servers are trusted by; raises `Unavailable`."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError:
            raise Unavailable("the file of certificates cannot be read: correct ca_file") from None


class ZoomRtms:
    """Waits for webhooks and follows every call that they name, each by itself."""

    def __init__(self, options: ZoomOptions) -> None:
        self._options = options
        self._calls: dict[str, ZoomCall] = {}
        self._ended: dict[str, ZoomCall] = {}
        self._lost: dict[str, ZoomCall] = {}

    async def run(self, intake: Intake) -> None:
        """Follow calls until it is cancelled; raises `Unavailable` where webhooks cannot be listened for."""
        options = self._options
        trust = await asyncio.to_thread(options.trust)
        try:
            async with asyncio.TaskGroup() as tasks:

                def take(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
                    return self._take(body, headers, intake, tasks, trust)

                async with listening(options.listen, options.port, options.path, take, webhook.MAX_BODY_BYTES):
                    intake.waiting("no call streams to us yet")
                    await asyncio.Event().wait()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def _take(
        self,
        body: bytes,
        headers: Mapping[str, str],
        intake: Intake,
        tasks: asyncio.TaskGroup,
        trust: ssl.SSLContext,
    ) -> tuple[int, str]:
        """Answer a webhook at once; what it asks for is done after that."""
        stamp, signed = headers.get("x-zm-request-timestamp", ""), headers.get("x-zm-signature", "")
        try:
            said = webhook.read(body, stamp, signed, self._options.webhook_secret.get_secret_value(), time.time())
        except webhook.WebhookError as error:
            if not self._calls:
                intake.waiting(str(error))
            return error.status, "{}"
        match said:
            case webhook.Validation(answer):
                return 200, answer
            case webhook.Stopped(stream, reason):
                self._stop(stream, stop_of(reason), tasks)
            case webhook.Started(_, stream, _) if stream not in self._calls and stream not in self._ended:
                if len(self._calls) >= self._options.max_calls:
                    intake.waiting("more calls stream to us than max_calls: one is left out")
                else:
                    call = self._calls[stream] = self._call(said, intake, trust)
                    # Who was lost with an earlier stream of the meeting is known of by this one.
                    self._lost = {s: one for s, one in self._lost.items() if one.name != call.name}
                    tasks.create_task(self._follow(stream, intake))
        return 200, "{}"

    def _stop(self, stream: str, stop: Stop, tasks: asyncio.TaskGroup) -> None:
        if stream in self._calls:
            self._calls[stream].stop(stop)
        elif stream in self._lost:
            tasks.create_task(self._lost.pop(stream).end(stop))
        elif stream in self._ended and stop.deletes:
            # The connection said so before, or broke.
            tasks.create_task(self._ended[stream].forget())

    def _call(self, started: webhook.Started, intake: Intake, trust: ssl.SSLContext) -> ZoomCall:
        options = self._options
        wanted = CallOptions(
            secret=options.client_secret.get_secret_value(),
            url=started.url,
            call=options.call or f"zoom-{started.uuid}",
            trust=trust,
            audio=options.audio,
            resolution=options.resolution,
            fps=options.fps,
            dwell_seconds=options.dwell_seconds,
            identities=options.identities,
        )
        return ZoomCall(Ids(options.client_id, started.uuid, started.stream), wanted, intake)

    async def _follow(self, stream: str, intake: Intake) -> None:
        """Follow a call to its end; whatever becomes of it harms no other."""
        try:
            stop = await self._calls[stream].run()
            _put(self._ended, stream, self._calls[stream])
        except Unavailable as error:
            _put(self._lost, stream, self._calls[stream])
            stop = Stop(str(error), failed=True)
        finally:
            del self._calls[stream]
        if stop.failed or not self._calls:
            intake.waiting(stop.why)


def _put(calls: dict[str, ZoomCall], stream: str, call: ZoomCall) -> None:
    calls[stream] = call
    for oldest in list(calls)[:-MAX_ENDED]:
        del calls[oldest]


SPEC = PluginSpec("zoom_rtms", ZoomOptions, ZoomRtms)

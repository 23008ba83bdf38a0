"""A WHEP server's stream as a participant (draft-ietf-wish-whep): asked for, judged, asked for again when it ends.

The protocol has neither names nor a list of participants: both come from the configuration, an entry for each stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr

from monitor.tap.kit import SdpError, TapConfig, WebRtcPeer
from plugins.base import Intake, Listed, NoRoom, PluginSpec, ProfileOptions, Unavailable, name_from
from plugins.protocols import whep
from plugins.webrtc import WebRtcOptions

HTTP_SECONDS = 10.0
GOODBYE_SECONDS = 2.0
FULL_SECONDS = 5.0
# A stream that has ended is asked for again at once, but one that ends as soon as it began ever less often.
FIRST_REJOIN_SECONDS = 0.5
LONGEST_REJOIN_SECONDS = 8.0
STEADY_SECONDS = 10.0
# There is no such stream: a wrong URL to begin with, and after that what many servers say when its publisher has left.
GONE = (404, 410)


class _Gone(Unavailable):
    """Whoever was seen in the stream has left."""


class WhepOptions(WebRtcOptions):
    """`url` is the endpoint of one stream, `participant` who is seen in it, `identity` whom they claim to be."""

    url: str = Field(pattern=r"^https?://[^\s/]+", max_length=whep.MAX_URL_LENGTH)
    token: SecretStr | None = None
    call: str = Field(default="whep", min_length=1, max_length=128)
    participant: str = Field(min_length=1, max_length=128)
    identity: str | None = Field(default=None, min_length=1, max_length=128)
    profile: ProfileOptions = ProfileOptions()


class Whep:
    """Plays one stream for as long as it is published."""

    def __init__(self, options: WhepOptions) -> None:
        self._options = options
        self._origin = whep.origin(options.url)

    async def run(self, intake: Intake) -> None:
        """Play until the participant is removed; raises `Unavailable` where the server cannot be had."""
        tap = await self._options.tap(urlsplit(self._options.url).hostname or "")
        timeout = httpx.Timeout(HTTP_SECONDS)
        # No proxy of the environment: it would be shown the token.
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False) as client:
            waits = brief = 0
            while True:
                began = asyncio.get_running_loop().time()
                try:
                    async with self._playing(client, tap) as session:
                        if isinstance(session, WebRtcPeer) and not await self._judge(intake, session):
                            return
                except _Gone:
                    intake.roster(name_from(self._options.call), ())
                    raise
                except NoRoom as refusal:
                    await intake.sleep(refusal.retry_after_seconds or FULL_SECONDS)
                    continue
                if isinstance(session, whep.Later):
                    intake.roster(name_from(self._options.call), ())
                    intake.waiting("nothing is published there yet")
                    await intake.sleep(whep.wait_seconds(waits, session.seconds))
                    waits += 1
                    continue
                waits = 0
                brief = 0 if asyncio.get_running_loop().time() - began >= STEADY_SECONDS else brief + 1
                await intake.sleep(whep.wait_seconds(max(brief - 1, 0), FIRST_REJOIN_SECONDS, LONGEST_REJOIN_SECONDS))

    async def _judge(self, intake: Intake, peer: WebRtcPeer) -> bool:
        """Have somebody judged until their media end; returns whether that was the other side's doing."""
        await peer.settled.wait()
        if not peer.connected:
            detail = peer.failure.detail if peer.failure is not None else "the server ended it"
            raise Unavailable(f"no media come from the server ({detail}): see allowed_networks, ice_servers, firewalls")
        intake.connected()
        options = self._options
        call, participant = name_from(options.call), name_from(options.participant)
        profile = options.profile.value()
        # Until the server says that nobody publishes: one that does not answer has taken nobody out of the call.
        intake.roster(call, (Listed(participant, None, profile, options.identity),))
        admitted = await intake.admit(call, participant, peer, options.identity, profile)
        try:
            # Whoever ends the participant closes it as well.
            await peer.closed.wait()
        finally:
            await admitted.end()
        return peer.was_left

    @contextlib.asynccontextmanager
    async def _playing(self, client: httpx.AsyncClient, tap: TapConfig) -> AsyncIterator[WebRtcPeer | whep.Later]:
        """Open a session and end it, on both sides; raises `Unavailable`. Gives `Later` where nothing is published."""
        peer, offer = await WebRtcPeer.offer(tap)
        session = None
        try:
            reply, text = await self._post(client, offer)
            if isinstance(reply, whep.Later):
                yield reply
                return
            session = reply.session
            if isinstance(reply, whep.CounterOffer):
                await peer.close()
                peer, answer = await WebRtcPeer.answer(text, tap)
                await self._patch(client, session, answer)
            else:
                await peer.accept(text)
            yield peer
        except SdpError as error:
            raise Unavailable(f"what the server sends is not understood ({error.detail})") from None
        finally:
            await peer.close()
            if session is not None:
                await self._delete(client, session)

    async def _post(
        self, client: httpx.AsyncClient, offer: str
    ) -> tuple[whep.Answered | whep.CounterOffer | whep.Later, str]:
        url = self._options.url
        for redirects in range(whep.MAX_REDIRECTS + 1):
            status, headers, text = await self._send(client, "POST", url, offer)
            reply = whep.read_reply(url, status, headers, redirects)
            match reply:
                case whep.Redirected(target):
                    url = target
                case whep.Refused(why, seconds):
                    raise (_Gone if status in GONE else Unavailable)(why, seconds)
                case _:
                    return reply, text
        raise AssertionError("the last redirect is refused")

    async def _patch(self, client: httpx.AsyncClient, session: str, answer: str) -> None:
        status, _, _ = await self._send(client, "PATCH", session, answer)
        if not 200 <= status < 300:
            raise Unavailable(f"the server does not take the answer to its own offer ({status}): see its log")

    async def _delete(self, client: httpx.AsyncClient, session: str) -> None:
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await client.delete(session, headers=self._headers(session))

    async def _send(
        self, client: httpx.AsyncClient, method: str, url: str, body: str
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of an answer; raises `Unavailable`."""
        headers = self._headers(url) | {"Content-Type": whep.SDP, "Accept": whep.SDP}
        limit = TapConfig().max_sdp_bytes
        read = bytearray()
        try:
            async with asyncio.timeout(HTTP_SECONDS):
                async with client.stream(method, url, content=body.encode(), headers=headers) as answer:
                    async for chunk in answer.aiter_bytes():
                        read += chunk
                        if len(read) > limit:
                            raise Unavailable(f"the server's answer is over {limit} bytes: check the url")
                    found = {name.lower(): value for name, value in answer.headers.items()}
                    return answer.status_code, found, read.decode(errors="replace")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise Unavailable(
                f"the server does not answer ({type(error).__name__}): check the url, and that it runs"
            ) from None

    def _headers(self, url: str) -> dict[str, str]:
        """Return the token for the origin that it is for, and for no other."""
        token = self._options.token
        mine = token is not None and whep.origin(url) == self._origin
        return {"Authorization": f"Bearer {token.get_secret_value()}"} if token is not None and mine else {}


SPEC = PluginSpec("whep", WhepOptions, Whep)

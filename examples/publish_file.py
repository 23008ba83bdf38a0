"""A WHIP client: publishes a recorded clip as one participant, in real time, and leaves when it ends.

export SIDEWITNESS_TOKEN=...
python examples/publish_file.py clip.mp4 --call standup --participant alice
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer

TIMEOUT = 15.0


class RefusedError(Exception):
    """The sidecar did not take the publication; the message says why."""


async def publish(clip: Path, endpoint: str, token: str) -> None:
    """Publish `clip` to a WHIP endpoint until it ends."""
    player = MediaPlayer(str(clip))
    peer = RTCPeerConnection()
    endings = []
    for track in (player.audio, player.video):
        if track is not None:
            endings.append(ended := asyncio.Event())
            track.add_listener("ended", ended.set)
            peer.addTransceiver(track, direction="sendonly")
    # aiortc has gathered every candidate when this returns, so nothing needs to be trickled.
    await peer.setLocalDescription(await peer.createOffer())
    session = None
    try:
        answer, session = await asyncio.to_thread(offer, endpoint, token, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        sys.stderr.write(f"publishing {clip.name}, interrupt to leave\n")
        await asyncio.gather(*(ended.wait() for ended in endings))
    finally:
        await peer.close()
        if session is not None:
            await asyncio.to_thread(request, "DELETE", session, token)


def offer(endpoint: str, token: str, sdp: str) -> tuple[str, str]:
    """POST an offer; returns the answer and the session's URL (RFC 9725, 4.2)."""
    answer, location = request("POST", endpoint, token, sdp)
    return answer, urljoin(endpoint, location)


def request(method: str, url: str, token: str, body: str | None = None) -> tuple[str, str]:
    """Send one request; returns the body and the Location of the response, raises `RefusedError`."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    data = None if body is None else body.encode()
    message = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - main() allows http and https only
    try:
        with urllib.request.urlopen(message, timeout=TIMEOUT) as response:  # noqa: S310
            return response.read().decode(), response.headers.get("Location", "")
    except urllib.error.HTTPError as error:
        raise RefusedError(f"{error.code} {detail(error.read())}") from None
    except urllib.error.URLError as error:
        raise RefusedError(f"{url} cannot be reached ({error.reason})") from None


def detail(body: bytes) -> str:
    """Read what a problem document (RFC 9457) says."""
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "without a reason"


def main() -> int:
    """Read the options and publish."""
    parser = argparse.ArgumentParser(description="Publish a recorded clip to a Sidewitness by WHIP.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8480")
    parser.add_argument("--call", default="example")
    parser.add_argument("--participant", default="clip")
    parser.add_argument("--identity", help="who the participant claims to be")
    parser.add_argument("--token", default=os.environ.get("SIDEWITNESS_TOKEN"), help="default: SIDEWITNESS_TOKEN")
    options = parser.parse_args()
    if not options.token:
        parser.error("no token: set SIDEWITNESS_TOKEN or give --token")
    if not options.clip.is_file():
        parser.error(f"{options.clip} is no file")
    if not options.url.startswith(("http://", "https://")):
        parser.error("--url must start with http:// or https://")
    path = f"/v1/calls/{quote(options.call, safe='')}/participants/{quote(options.participant, safe='')}/whip"
    query = f"?{urlencode({'identity': options.identity})}" if options.identity else ""
    try:
        asyncio.run(publish(options.clip, options.url.rstrip("/") + path + query, options.token))
    except RefusedError as refused:
        sys.stderr.write(f"error: {refused}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

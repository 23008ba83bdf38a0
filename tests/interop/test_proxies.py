"""Behind a real proxy that ends TLS and adds a path, and through a real TURN server."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.browser import CHROMIUM
from tests.e2e.visit import LIVE
from tests.interop.aiortc_client import publishing
from tests.interop.browsers import address, chromium_page, pages
from tests.interop.check import Bench
from tests.interop.installed import needs, version_of
from tests.interop.proxies import coturn, nginx
from tests.interop.results import Row
from tests.interop.sidecar import BEARER, PROTOCOL, TOKEN, local_address, sidecar

pytestmark = pytest.mark.asyncio(loop_scope="session")
USER, PASSWORD = "witness", "a-password-of-the-tests"
SDP = {"Content-Type": "application/sdp"}


@needs("nginx", "nginx-light")
async def test_a_publication_through_nginx(bench: Bench, tmp_path: Path) -> None:
    """The session's address leads back through the proxy: candidates are trickled to it, and the DELETE ends it."""
    row = Row("nginx, TLS, under /sidewitness", version_of("nginx", "-v"), "HTTP", "as in operations.md")
    async with nginx(tmp_path, bench.host.url) as base, bench.judged(row) as name:
        endpoint = bench.host.endpoint(name).replace(bench.host.url, base)
        trust = ssl.create_default_context(cafile=str(tmp_path / "tls.pem"))
        async with publishing(endpoint, bench.clip.webm, trust) as publication:
            assert publication.session.startswith(f"{endpoint}/")
            await bench.published(name)
            async with httpx.AsyncClient(headers=BEARER, verify=trust, timeout=10) as client:
                fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": publication.headers["etag"]}
                body = b"a=end-of-candidates\r\n"
                trickled = await client.patch(publication.session, content=body, headers=fragment)
                assert trickled.status_code == 204, trickled.text
                assert (await client.head(f"{base}/healthz")).status_code == 200
            await publication.delete(trust)


@needs("nginx", "nginx-light")
async def test_alerts_through_nginx(bench: Bench, tmp_path: Path) -> None:
    async with nginx(tmp_path, bench.host.url) as base:
        trust = ssl.create_default_context(cafile=str(tmp_path / "tls.pem"))
        url = base.replace("https", "wss") + "/v1/alerts"
        async with connect(url, subprotocols=[PROTOCOL], ssl=trust, proxy=None) as socket:  # type: ignore[list-item]
            await socket.send(json.dumps({"type": "subscribe", "token": TOKEN, "after": None, "states": False}))
            assert json.loads(await socket.recv())["type"] == "hello"
            await socket.send('{"type": "ping"}')
            assert json.loads(await socket.recv()) == {"type": "pong"}
            await socket.send("nonsense")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4400


@pytest.mark.browser
@needs("nginx", "nginx-light")
@needs(CHROMIUM, "chromium")
async def test_the_dashboard_through_nginx(bench: Bench, browser: Browser, tmp_path: Path) -> None:
    async with nginx(tmp_path, bench.host.url) as base:
        context = await browser.new_context(ignore_https_errors=True)
        try:
            page = await context.new_page()
            await page.goto(f"{base}/#token={TOKEN}")
            await page.wait_for_selector(LIVE)
            await page.locator("nav a[href=try]").click()
            await expect(page.locator("#start")).to_be_visible()
            assert page.url.startswith(f"{base}/try")
        finally:
            await context.close()


@pytest.mark.browser
@needs("turnserver", "coturn")
@needs(CHROMIUM, "chromium")
async def test_a_publisher_behind_a_turn_server(bench: Bench, browser: Browser, tmp_path: Path) -> None:
    """Chromium may use relayed candidates only, so every packet goes through coturn."""
    row = Row("coturn, publisher behind it", version_of("turnserver"), "UDP", "`iceTransportPolicy: relay`")
    async with coturn(tmp_path, local_address(), USER, PASSWORD) as turn:
        server = {"urls": turn, "username": USER, "credential": PASSWORD}
        rtc = json.dumps({"iceTransportPolicy": "relay", "iceServers": [server]})
        async with (
            bench.judged(row) as name,
            pages(bench.clip.webm) as site,
            chromium_page(browser, address(site, bench.host.endpoint(name), bench.clip.webm, rtc=rtc)),
        ):
            await bench.published(name)
        assert "ALLOCATE processed, success" in (tmp_path / "turn.log").read_text()


@needs("turnserver", "coturn")
async def test_a_sidecar_behind_a_turn_server(bench: Bench, tmp_path: Path) -> None:
    """`ice_servers` are announced to publishers, and the sidecar's answer has a relayed candidate of its own."""
    async with coturn(tmp_path, local_address(), USER, PASSWORD) as turn:
        servers = json.dumps([{"url": turn, "username": USER, "credential": PASSWORD}])
        async with (
            sidecar(tmp_path / "state", ice_servers=servers) as host,
            publishing(host.endpoint("relayed"), bench.clip.webm) as publication,
        ):
            assert f'<{turn}>; rel="ice-server"; username="{USER}"' in publication.headers["link"]
            remote = publication.peer.remoteDescription.sdp
            assert [line for line in remote.splitlines() if "typ relay" in line]
            await publication.delete()

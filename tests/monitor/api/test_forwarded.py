"""Behind a reverse proxy: the prefix that clients see, from whom it is taken, and addresses that lead back."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import ValidationError

from monitor.api.forwarded import path_within, prefix_of, seen_under
from monitor.config import LOOPBACK, Settings
from tests.monitor.api.server import BEARER, WHIP, serving

SDP = {"Content-Type": "application/sdp"}
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def scope(path: str = "/v1/calls", client: str | None = "10.1.2.3", prefix: str | None = "/sw") -> dict[str, Any]:
    headers = [] if prefix is None else [(b"x-forwarded-prefix", prefix.encode())]
    return {"type": "http", "path": path, "headers": headers, "client": (client, 5000) if client else None}


@pytest.mark.parametrize(
    ("given", "taken"),
    [("/sw", "/sw"), ("/a/b-c/", "/a/b-c"), (" /sw ", "/sw"), ("/v1.2~x", "/v1.2~x"), (None, ""), ("", ""), ("/", "")]
    + [(bad, "") for bad in ("sw", "//evil.example", "/a//b", "/..", "/a/./b", "/a b", "/a?b", "/a%2f", "/a,/b")],
)
def test_a_prefix_is_a_plain_path_or_none(given: str | None, taken: str) -> None:
    assert prefix_of(scope(prefix=given), "", PROXIES) == taken


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::7%eth0", True),
        ("192.0.2.1", False),
        ("::1", False),
        ("127.0.0.1", False),
        ("somewhere", False),
        (None, False),
    ],
)
def test_only_a_trusted_proxy_names_it(client: str | None, trusted: bool) -> None:
    assert prefix_of(scope(client=client), "", PROXIES) == ("/sw" if trusted else "")
    assert prefix_of(scope(client=client), "/set", PROXIES) == "/set"


def test_whether_the_proxy_takes_the_prefix_away_or_not() -> None:
    for path in ("/v1/calls", "/sw/v1/calls"):
        seen = seen_under(scope(path), "/sw")
        assert (seen["root_path"], seen["path"], path_within(seen)) == ("/sw", "/sw/v1/calls", "/v1/calls")
    assert seen_under(scope("/swim"), "/sw")["path"] == "/sw/swim"
    assert path_within(seen_under(scope("/v1"), "")) == "/v1"


@pytest.mark.parametrize("value", ["sw", "//evil.example", "/a/../b", "/a b", "https://meet.example/sw"])
def test_a_bad_root_path_is_an_error(value: str) -> None:
    with pytest.raises(ValidationError, match="such as /sidewitness"):
        Settings(root_path=value)
    assert (Settings(root_path="/sw/").root_path, Settings(root_path="/").root_path) == ("/sw", "")


def test_a_proxy_on_this_machine_is_trusted_unless_said_otherwise() -> None:
    assert Settings().trusted_proxies == LOOPBACK


@pytest.mark.parametrize(
    ("settings", "headers", "prefix"),
    [
        ({}, {}, ""),
        ({}, {"X-Forwarded-Prefix": "/sw"}, "/sw"),
        ({"trusted_proxies": ()}, {"X-Forwarded-Prefix": "/sw"}, ""),
        ({"root_path": "/set"}, {}, "/set"),
    ],
)
async def test_the_session_url_leads_back_through_the_proxy(
    tmp_path: Path, settings: dict[str, Any], headers: dict[str, str], prefix: str
) -> None:
    async with serving(tmp_path, **settings) as site, site.client(headers={**BEARER, **headers}) as client:
        made = await client.post(WHIP, content=b"v=0 offer", headers=SDP)
        assert made.status_code == 201
        location = urljoin(f"https://meet.example{prefix}{WHIP}", made.headers["location"])
        assert location.startswith(f"https://meet.example{prefix}{WHIP}/")
        assert made.headers["access-control-allow-origin"] == "*"
        session = location.removeprefix(f"https://meet.example{prefix}")
        assert (await client.delete(session)).status_code == 200
        if "root_path" in settings:
            # A proxy that leaves the prefix where it is.
            again = await client.post(prefix + WHIP, content=b"v=0 offer", headers=SDP)
            assert again.headers["access-control-allow-origin"] == "*"
            assert (await client.delete(again.headers["location"])).status_code == 200


async def test_pages_scripts_and_alerts_are_there_under_the_prefix_too(tmp_path: Path) -> None:
    async with serving(tmp_path, root_path="/sw") as site, site.client() as client:
        for path in ("/", "/try", "/static/app.js", "/sw/", "/sw/static/app.js"):
            assert (await client.get(path)).status_code == 200, path
        refused = await client.put("/sw/v1/findings")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        for prefix in ("", "/sw"):
            async with site.connect(prefix=prefix) as socket:
                assert socket.subprotocol == "sidewitness.alerts.v1"


async def test_head_is_get_without_its_body(tmp_path: Path) -> None:
    """Every path of the published document that GET works on, and the pages."""
    from monitor.api.openapi import described_application, document

    paths = [path for path, methods in document(described_application())["paths"].items() if "get" in methods]
    pages = ["/", "/try", "/enroll", "/findings", "/finding", "/wall", "/static/style.css"]
    assert {"/v1/findings", "/healthz", "/metrics", "/v1/enrolments"} <= set(paths)
    async with serving(tmp_path) as site, site.client() as client, httpx.AsyncClient(base_url=site.base) as stranger:
        for path in (*paths, *pages):
            url = path.replace("{", "").replace("}", "")
            for asking in (client, stranger):
                got, head = await asking.get(url), await asking.head(url)
                assert (head.status_code, head.content) == (got.status_code, b""), url
                assert head.headers.get("content-type") == got.headers.get("content-type"), url
                if url != "/metrics":
                    assert head.headers.get("content-length") == got.headers.get("content-length"), url

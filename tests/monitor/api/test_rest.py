from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from monitor.api.auth import load_or_make
from monitor.api.guard import CSP
from monitor.config import ConfigError
from tests.monitor.alerts.build import finding, findings_of
from tests.monitor.api.server import WHIP, Site, serving
from tests.monitor.rig import OPEN, block, host_of

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path, findings_kept=10) as made:
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as made:
        yield made


async def test_reading_needs_the_token(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.base) as stranger:
        for path in ("/v1/calls", "/v1/calls/board", "/v1/findings"):
            assert (await stranger.get(path)).status_code == 401


async def test_calls(client: httpx.AsyncClient, site: Site) -> None:
    assert (await client.get("/v1/calls")).json() == {"calls": []}
    assert (await client.get("/v1/calls/board")).status_code == 404
    await client.post(WHIP, content=b"v=0", headers=SDP)
    body = (await client.get("/v1/calls")).json()
    one = (await client.get("/v1/calls/board")).json()
    # How much was watched grows in between.
    assert [sorted(call) for call in body["calls"]] == [sorted(one)]
    assert one["coverage"]["listed"] == 1
    shown = body["calls"][0]["participants"][0]
    assert body["calls"][0]["call"] == "board"
    assert set(shown) == {
        "participant", "identity", "verdict", "reason", "since", "scores", "statistic", "threshold", "quality",
        "continues", "resembles", "claim", "name", "in_doubt", "coverage",
    }  # fmt: skip
    assert (shown["participant"], shown["identity"], shown["verdict"]) == ("p1", None, "inconclusive")


async def test_findings_are_paged(client: httpx.AsyncClient, site: Site) -> None:
    assert (await client.get("/v1/findings")).json() == {"findings": [], "next": 0}
    for n in range(3):
        site.journal.append(finding(str(n)))
    page = (await client.get("/v1/findings?limit=2")).json()
    assert ([one["seq"] for one in page["findings"]], page["next"]) == ([1, 2], 2)
    assert page["findings"][0]["time"] == "2026-03-01T12:00:00.250Z"
    rest = (await client.get(f"/v1/findings?after={page['next']}")).json()
    assert ([one["seq"] for one in rest["findings"]], rest["next"]) == ([3], 3)
    assert (await client.get("/v1/findings?after=3")).json() == {"findings": [], "next": 3}


async def test_findings_say_what_is_no_longer_kept(client: httpx.AsyncClient, site: Site) -> None:
    for n in range(12):
        site.journal.append(finding(str(n)))
    assert (await client.get("/v1/findings?after=0")).json()["gap"] == 2


async def test_bad_queries(client: httpx.AsyncClient) -> None:
    for query in ("after=-1", "after=x", f"after={2**63}", "limit=0", "limit=1001"):
        response = await client.get(f"/v1/findings?{query}")
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert query.partition("=")[0] in response.json()["detail"]


async def test_health_and_readiness(client: httpx.AsyncClient, site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.operators) as operator:
        for asking in (client, operator):
            assert (await asking.get("/healthz")).json() == {"status": "ok"}
        ready = await operator.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            200,
            {"status": "ready", "journal": "ok", "waiting": 0, "hosts": {"alive": 1, "of": 1}},
        )
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        host_of(site.components).draining = True
        for asking in (client, operator):
            draining = await asking.get("/readyz")
            assert (draining.status_code, draining.json()["status"]) == (503, "draining")


async def test_the_operators_listener_answers_to_its_own_names(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.operators) as operator:
        for path in ("/healthz", "/readyz", "/metrics"):
            refused = await operator.get(path, headers={"Host": "evil.example"})
            assert refused.status_code == 421
            assert "content-security-policy" in refused.headers
        for path in ("/", "/v1/calls", "/v1/words", "/static/app.js"):
            assert (await operator.get(path)).status_code == 404


async def test_a_journal_that_refuses_shows_and_the_call_goes_on(client: httpx.AsyncClient, site: Site) -> None:
    with site.journal.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE journal_head RENAME TO hidden")
    await client.post(WHIP, content=b"v=0", headers=SDP)
    async with site.subscribe(states=True) as socket:
        site.peers.made[0].put(block(OPEN))
        async with httpx.AsyncClient(base_url=site.operators) as operator:
            ready = await operator.get("/readyz")
        assert ready.status_code == 503
        assert "\n" not in ready.json()["journal"]
        public = await client.get("/readyz")
        assert (public.status_code, public.json()) == (503, {"status": "not ready"})
        found = await client.get("/v1/findings")
        assert (found.status_code, found.json()["title"]) == (503, "Journal unavailable")
        assert (await client.get("/v1/calls/board")).status_code == 200
        with site.journal.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO journal_head")
        async for text in socket:
            message = httpx.Response(200, content=text).json()
            if message["type"] == "finding" or (message["type"] == "hello" and message["seq"] == 1):
                break
    assert [found.action for found in findings_of(site.journal)] == ["opened"]


async def test_metrics_name_nobody(client: httpx.AsyncClient, site: Site) -> None:
    await client.post(WHIP.replace("p1", "ada-lovelace") + "?identity=Ada", content=b"v=0", headers=SDP)
    async with httpx.AsyncClient(base_url=site.operators) as operator:
        text = (await operator.get("/metrics")).text
    assert "sidewitness_decision_to_socket_seconds_bucket" in text
    for told in (text, (await client.get("/metrics")).text):
        assert "sidewitness_participants 1.0" in told
        assert "ada" not in told.lower().replace("adapt", "")
        assert "board" not in told


async def test_pages_and_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/", "/try", "/enroll", "/findings", "/finding", "/wall"):
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["content-security-policy"] == CSP
        # A page may speak to its own server, by WebSocket too (CSP 3), and to nobody else.
        assert "; connect-src 'self'; " in CSP
        assert page.headers["cross-origin-resource-policy"] == "same-origin"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "camera=(self), microphone=(self)" in page.headers["permissions-policy"]
        assert (await client.head(path)).status_code == 200
    module = await client.get("/static/app.js")
    assert module.status_code == 200
    assert "javascript" in module.headers["content-type"]


async def test_a_participant_is_shown_words_unless_the_operator_says_so(tmp_path: Path) -> None:
    for shown in (False, True):
        async with serving(tmp_path, try_scores=shown) as site, site.client() as client:
            page = (await client.get("/try")).text
            assert ('<body data-scores="shown">' in page) == shown
            assert ("<body>" in page) != shown


async def test_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/static/nothing.js", "/static/..%2fapp.py", "/docs", "/openapi.json"):
        response = await client.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["content-security-policy"] == CSP


def test_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    made = load_or_make(tmp_path)
    assert len(made) >= 43
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert load_or_make(tmp_path) == made


def test_token_file_that_cannot_be_trusted(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("x" * 40)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_or_make(tmp_path)
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        load_or_make(tmp_path)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="SIDEWITNESS_TOKEN"):
        load_or_make(tmp_path)
    with pytest.raises(ConfigError, match="no token can be kept"):
        load_or_make(tmp_path / "absent")

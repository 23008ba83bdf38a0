"""What the pages do when the connection, the token or the words fail, and what they say of what is not known."""

from __future__ import annotations

import shutil

import pytest
from playwright.async_api import expect

from monitor.decision.words import REASONS, describe, readable
from monitor.detectors.registry import phrases
from monitor.types import Reason, Verdict
from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import TOKEN, JsonObject, finding
from tests.e2e.visit import LIVE, REFUSED_REQUEST, Visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


@pytest.mark.parametrize("code", [1001, 4008])
async def test_a_broken_connection_resumes_after_the_last_finding(desk: Visit, code: int) -> None:
    await desk.live()
    await desk.sidecar.say(finding(1, "opened", 0), finding(7, "updated", 5))
    await expect(desk.page.locator(".steps li")).to_have_count(2)
    missed = finding(8, "closed", 9)
    desk.sidecar.findings.append(missed)
    desk.sidecar.head = 8
    await desk.sidecar.hang_up(code)
    await expect(desk.page.locator("#connection")).to_contain_text("Connection lost")
    await desk.sidecar.until(lambda: len(desk.sidecar.subscriptions) == 2)
    assert desk.sidecar.subscriptions[1]["after"] == 7
    await desk.page.wait_for_selector(LIVE)
    await expect(desk.page.locator("#findings .status")).to_have_text("Closed")
    await expect(desk.page.locator(".steps li")).to_have_count(3)
    assert desk.complaints == []


async def test_another_journal_starts_the_list_over(desk: Visit) -> None:
    await desk.live()
    await desk.sidecar.say(finding(90, "opened", 0))
    await expect(desk.page.locator(".finding")).to_have_count(1)
    desk.sidecar.findings[:] = [finding(1, "opened", 50, id="new")]
    desk.sidecar.head = 1
    await desk.sidecar.hang_up(1012)
    await expect(desk.page.locator(".finding[data-id=new]")).to_have_count(1)
    await expect(desk.page.locator(".finding")).to_have_count(1)


async def test_a_gap_is_shown(desk: Visit) -> None:
    await desk.live()
    await desk.sidecar.say({"type": "gap", "after": 40}, {"type": "of a later version"})
    await expect(desk.page.locator("#gap")).to_be_visible()


async def test_a_wrong_token_asks_again_and_leaves_the_address_bar(visit: Visit) -> None:
    await visit.open(token="wrong")
    dialog = visit.page.locator("dialog")
    await expect(dialog).to_contain_text("refused this token")
    await expect(visit.page.locator("#connection")).to_have_text("Token needed")
    assert "token" not in visit.page.url
    await expect(visit.page.locator("#token")).to_be_focused()
    await visit.page.keyboard.type(TOKEN)
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_selector(LIVE)
    await expect(dialog).to_be_hidden()
    await visit.page.reload()
    await visit.page.wait_for_selector(LIVE)
    assert [s["token"] for s in visit.sidecar.subscriptions] == ["wrong", TOKEN, TOKEN]


async def test_without_a_token_nothing_is_tried_until_one_is_given(visit: Visit) -> None:
    await visit.page.goto(visit.sidecar.url)
    await expect(visit.page.locator("dialog")).to_contain_text("needs the sidecar's token")
    await visit.page.keyboard.press("Escape")
    await visit.page.locator("#enter-token").click()
    assert visit.sidecar.subscriptions == []
    await visit.page.locator("#token").fill(TOKEN)
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_selector(LIVE)


async def test_the_protocol_machine_backs_off_and_never_loses_its_place(desk: Visit) -> None:
    await desk.open()
    run = """
      let [link, effects] = m.advance(m.initial(), { type: "token", token: "t" });
      const seen = [effects];
      for (const event of x) { [link, effects] = m.advance(link, event); seen.push(effects); }
      return { link, seen };
    """
    closed = {"type": "closed", "code": 1006, "chance": 0.5}
    lost = await desk.run("socket.js", run, [e for _ in range(8) for e in (closed, {"type": "due"})])
    waits = [effects[0]["milliseconds"] for effects in lost["seen"][1::2]]
    assert waits == [375, 750, 1500, 3000, 6000, 11250, 11250, 11250]
    texts = ['{"type":"hello","seq":5}', "not json", '{"type":"finding","seq":9}', '{"type":"finding","seq":6}', "null"]
    events: list[JsonObject] = [{"type": "opened"}, *({"type": "message", "text": text} for text in texts)]
    fed = await desk.run("socket.js", run, events)
    assert fed["link"] == {"phase": "live", "token": "t", "cursor": 9, "attempts": 0}
    assert [e["do"] for e in fed["seen"][2]] == ["deliver", "picture"]
    refused = await desk.run("socket.js", run, [closed | {"code": 4400}, closed, {"type": "due"}])
    assert (refused["link"]["phase"], refused["seen"][1:]) == ("refused", [[], [], []])


async def test_the_page_says_every_verdict_and_reason_in_the_words_of_the_sidecar(desk: Visit) -> None:
    await desk.live()
    reasons = [*REASONS, *phrases(), None, Reason("of_a_later_version")]
    cases = [(verdict, reason) for verdict in Verdict for reason in reasons]
    shown = await desk.run("words.js", "return x.map(([v, r]) => m.phrase(v, r))", [[v, r] for v, r in cases])
    expected = [describe(verdict, reason, phrases()) for verdict, reason in cases]
    assert [(s["title"], s["detail"]) for s in shown] == [(e.title, e.detail) for e in expected]
    text = " ".join(f"{phrase['title']} {phrase['detail']}" for phrase in shown).lower()
    assert not [word for word in ("is genuine", "is real", "verified", "authentic", "trusted") if word in text]
    labels = await desk.run("words.js", "return x.map(m.verdictLabel)", [*Verdict, "of_a_later_version"])
    assert labels == [readable(verdict) for verdict in Verdict] + ["Of a later version"]


@pytest.mark.parametrize("path", ["/", "/try"])
async def test_without_words_nothing_is_shown_but_what_to_do(desk: Visit, path: str) -> None:
    desk.sidecar.refuse_words = True
    await desk.open(path)
    notice = desk.page.locator("#notice, #problem")
    await expect(notice).to_contain_text("draining")
    await expect(notice).to_contain_text("Reload the page")
    assert desk.sidecar.subscriptions == []
    desk.sidecar.refuse_words = False
    await desk.open(path)
    await desk.page.reload()
    await desk.page.wait_for_selector(LIVE)
    assert [c for c in desk.complaints if REFUSED_REQUEST not in c] == []

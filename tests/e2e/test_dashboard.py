"""The pages in a real Chromium at phone and desk width, against a scripted sidecar that speaks the public API."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from monitor.decision.words import REASONS, describe, readable
from monitor.detectors.registry import phrases
from monitor.face.outline import CURVES
from monitor.types import Reason, Verdict
from tests.e2e.browser import ARGUMENTS, CHROMIUM
from tests.e2e.dashboard_fixtures import (
    TOKEN,
    JsonObject,
    Sidecar,
    curve,
    finding,
    identity,
    pairwise,
    persona,
    running_sidecar,
    state,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]

LIVE = "#connection[data-phase=live]"
REFUSED_REQUEST = "Failed to load resource"


@dataclass
class Visit:
    """A page, and everything that it complained of: script errors, console errors, violations of the policy."""

    page: Page
    sidecar: Sidecar
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/", token: str = TOKEN) -> None:
        """Open a page with a token in the fragment."""
        await self.page.goto(f"{self.sidecar.url}{path}#token={token.replace('+', '%2B')}")

    async def live(self, path: str = "/") -> None:
        """Open a page and wait until it is subscribed."""
        await self.open(path)
        await self.page.wait_for_selector(LIVE)
        await self.sidecar.until(lambda: len(self.sidecar.sockets) == 1)

    def card(self, participant: str) -> Any:
        """The card of a participant."""
        return self.page.locator(f".card[aria-label='{participant}']")

    async def overflow(self) -> int:
        """CSS pixels by which the page is wider than the window."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    async def run(self, module: str, body: str, argument: Any = None) -> Any:
        """Run `body` with the module as `m` and the argument as `x`."""
        script = f"async (x) => {{ const m = await import('/static/{module}'); {body} }}"
        return await self.page.evaluate(script, argument)


async def launch(devices: int) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        fake = f"--use-fake-device-for-media-stream=device-count={devices}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, fake])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async for started in launch(devices=1):
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bare_browser() -> AsyncIterator[Browser]:
    async for started in launch(devices=0):
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Sidecar]:
    async with running_sidecar() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def sidecar(server: Sidecar) -> Sidecar:
    await server.reset()
    return server


async def visit_with(context: BrowserContext, sidecar: Sidecar) -> Visit:
    visit = Visit(await context.new_page(), sidecar)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visit.complaints.append(message.text)

    visit.page.on("console", on_console)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    return visit


@pytest_asyncio.fixture(loop_scope="module", params=[375, 1440])
async def visit(request: pytest.FixtureRequest, browser: Browser, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A fresh page at each width; at the end it must have complained of nothing and fit the window."""
    context = await browser.new_context(viewport={"width": request.param, "height": 812})
    visit = await visit_with(context, sidecar)
    yield visit
    assert visit.complaints == []
    assert await visit.overflow() <= 0
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(browser: Browser, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A fresh page at desk width, for what does not depend on it."""
    context = await browser.new_context(viewport={"width": 1440, "height": 812})
    yield await visit_with(context, sidecar)
    await context.close()


def stream(participant: str, count: int, verdict: str, reason: str | None, **more: Any) -> list[JsonObject]:
    """One state every half second, the evidence growing tenfold every ten seconds."""
    return [state(participant, i / 2, verdict, reason, **{"statistic": 10 ** (i / 20)} | more) for i in range(count)]


# The dashboard


async def test_states_become_cards_with_a_strip_and_plain_words(visit: Visit) -> None:
    await visit.live()
    await visit.sidecar.say(*stream("alice", 80, "inconclusive", "not_enrolled"))
    alice = visit.card("alice")
    await expect(alice.locator(".pill")).to_have_text("Inconclusive")
    await expect(alice.locator(".title")).to_have_text("Lips and voice agree")
    await expect(alice.locator(".detail")).to_contain_text("does not show a genuine person")
    await expect(alice.locator(".quality")).to_contain_text("182 px")
    strip = alice.locator("svg.strip")
    words = "Evidence over the last two minutes: now 8,900, highest 8,900, alert at 72,000."
    await expect(strip).to_have_attribute("aria-label", words)
    path = await strip.locator("path.line").get_attribute("d")
    heights = [float(point.split()[1]) for point in path.removeprefix("M").split("L")]
    assert len(heights) == 80
    assert heights == sorted(heights, reverse=True)
    level = float(await strip.locator(".threshold").get_attribute("y1"))
    assert level < heights[-1] < heights[0]


async def test_a_strip_that_passes_the_level_crosses_its_line(visit: Visit) -> None:
    await visit.live()
    await visit.sidecar.say(*stream("mallory", 120, "alert", "lips_disagree_with_voice"))
    strip = visit.card("mallory").locator("svg.strip")
    await expect(strip.locator("rect.ribbon.alert")).to_have_count(1)
    level = float(await strip.locator(".threshold").get_attribute("y1"))
    assert float(await strip.locator("circle").get_attribute("cy")) < level


async def test_every_long_name_fits_and_stays_text(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)>" + "w" * 100
    await visit.live()
    visit.sidecar.list_participant(state(name, 0, "inconclusive", "silence", call="c" * 120), "i" * 120)
    await visit.sidecar.say(state(name, 0, "suspect", "lips_disagree_with_voice", call="c" * 120))
    await visit.sidecar.say(finding(1, "opened", 1, participant=name, call="c" * 120))
    await expect(visit.page.locator(".card h3")).to_have_text(name)
    await expect(visit.page.locator(".finding .who b")).to_have_text(name)
    assert await visit.page.locator("img[src=x]").count() == 0


async def test_a_finding_opens_goes_on_and_closes(visit: Visit) -> None:
    await visit.live()
    await expect(visit.page.locator("#no-findings")).to_be_visible()
    await visit.sidecar.say(finding(1, "opened", 0))
    row = visit.page.locator("#findings > li")
    await expect(row.locator(".status")).to_have_text("Open")
    await expect(row.locator("summary .title")).to_have_text("Lips and voice do not fit")
    await expect(visit.page.locator("#no-findings")).to_be_hidden()
    await expect(visit.page).to_have_title("(1) Sidewitness")
    await visit.sidecar.say(finding(2, "updated", 30), finding(2, "updated", 30), finding(3, "closed", 61))
    await expect(row.locator(".status")).to_have_text("Closed")
    await expect(row.locator(".time")).to_contain_text("lasted 1 min 1 s")
    await expect(row.locator(".steps li")).to_have_count(3)
    await expect(visit.page).to_have_title("Sidewitness")
    await expect(row).to_have_count(1)


async def test_messages_of_a_finding_may_come_in_any_order(desk: Visit) -> None:
    await desk.live()
    await desk.sidecar.say(finding(10, "closed", 20), finding(9, "opened", 40, id="other"), finding(4, "opened", 0))
    rows = desk.page.locator("#findings > li")
    await expect(rows.nth(0).locator(".status")).to_have_text("Open")
    await expect(rows.nth(1).locator(".status")).to_have_text("Closed")
    await expect(rows.nth(1).locator(".time")).to_contain_text("lasted 20 s")
    await expect(rows.nth(1).locator("summary .title")).to_have_text("Lips and voice do not fit")
    assert desk.complaints == []


async def test_the_keyboard_opens_a_finding_and_its_curve(visit: Visit) -> None:
    await visit.live()
    await visit.sidecar.say(finding(1, "opened", 0))
    await expect(visit.page.locator(".finding")).to_have_count(1)
    await visit.page.keyboard.press("Tab")
    await expect(visit.page.locator(".skip")).to_be_focused()
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.locator("#main")).to_be_focused()
    summary = visit.page.locator(".finding summary")
    for _ in range(6):
        await visit.page.keyboard.press("Tab")
        if await summary.evaluate("element => element === document.activeElement"):
            break
    await expect(summary).to_be_focused()
    outline = await summary.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"
    await visit.page.keyboard.press("Enter")
    picture = visit.page.locator(".finding svg.curve")
    await expect(picture).to_be_visible()
    await expect(picture.locator(".best-dot")).to_have_count(1)
    await expect(picture).to_have_attribute("aria-label", "Best agreement 0.20 at a shift of +280 ms.")
    await expect(visit.page.locator(".finding figcaption")).to_contain_text("Genuine speech makes one clear peak")
    await visit.page.keyboard.press("Enter")
    await expect(picture).to_be_hidden()
    # The skip link changed the fragment, which must not be taken for a new token.
    assert len(visit.sidecar.subscriptions) == 1


async def test_a_card_shows_its_live_offset_curve(visit: Visit) -> None:
    await visit.live()
    await visit.sidecar.say(state("alice", 0, "inconclusive", "not_enrolled"))
    await visit.card("alice").locator("summary").press("Enter")
    picture = visit.card("alice").locator("svg.curve")
    await expect(picture.locator("path.line")).to_have_count(1)
    scores = {"synchrony": {"score": -0.3, "p_value": 0.004, "reason": None, "evidence": curve(0.3, -80.0)}}
    await visit.sidecar.say(state("alice", 1, "inconclusive", "not_enrolled", scores=scores))
    await expect(picture).to_have_attribute("aria-label", "Best agreement 0.28 at a shift of −80 ms.")
    await expect(visit.card("alice").locator(".scores")).to_contain_text("seen in 1 of 250 genuine windows")


async def test_a_change_of_verdict_is_announced_once_known(desk: Visit) -> None:
    await desk.live()
    await desk.sidecar.say(state("alice", 0, "inconclusive", "warming_up"))
    await expect(desk.card("alice")).to_be_visible()
    await expect(desk.page.locator("#announcer")).to_be_empty()
    await desk.sidecar.say(state("alice", 1, "alert", "lips_disagree_with_voice"))
    announcer = desk.page.locator("#announcer[aria-live=polite]")
    await expect(announcer).to_have_text("alice in call weekly: Alert. Lips and voice do not fit.")
    await expect(desk.page.locator("#count-alert")).to_have_text("1")


async def test_an_empty_page_says_what_to_do(visit: Visit) -> None:
    await visit.live()
    await expect(visit.page.locator("#no-calls a")).to_have_attribute("href", "try")
    address = f"{visit.sidecar.url}/v1/calls/CALL/participants/PARTICIPANT/whip"
    await expect(visit.page.locator("#whip-address")).to_have_text(address)


async def test_the_first_picture_is_fetched(desk: Visit) -> None:
    desk.sidecar.list_participant(state("alice", 0, "bona_fide", None), "Alice")
    desk.sidecar.findings += [finding(1, "opened", 0), finding(2, "closed", 9)]
    desk.sidecar.head = 2
    await desk.live()
    await expect(desk.card("alice").locator(".claim")).to_have_text("claims to be Alice")
    await expect(desk.card("alice").locator(".detail")).to_contain_text("not a proof")
    await expect(desk.page.locator("#findings .status")).to_have_text("Closed")
    assert desk.sidecar.subscriptions == [{"type": "subscribe", "token": TOKEN, "after": None, "states": True}]
    assert desk.complaints == []


async def test_the_claim_of_a_newcomer_is_fetched_and_kept(desk: Visit) -> None:
    await desk.live()
    newcomer = state("alice", 0, "inconclusive", "silence")
    desk.sidecar.list_participant(newcomer, "Alice Example")
    await desk.sidecar.say(newcomer)
    await expect(desk.card("alice").locator(".claim")).to_have_text("claims to be Alice Example")
    await desk.sidecar.say(state("alice", 1, "inconclusive", "no_face"))
    await expect(desk.card("alice").locator(".title")).to_have_text("No face in view")
    await expect(desk.card("alice").locator(".claim")).to_have_text("claims to be Alice Example")
    assert desk.complaints == []


STANDINGS = [
    (None, None, ""),
    ("Alice", None, "not enrolled"),
    ("Alice", identity("Alice"), "enrolled since 4 Mar 2026"),
    ("Alice", identity("Alice", pending=2), "enrolled since 4 Mar 2026, a newer one waits for approval"),
    ("Alice", identity("Alice", "pending_approval", pending=1), "enrolment waits for approval"),
    ("Alice", identity("Alice", "expired"), "consent has expired: not compared"),
    ("Alice", identity("Bob"), "not enrolled"),
]


@pytest.mark.parametrize(("claim", "info", "words"), STANDINGS)
async def test_what_is_known_of_a_claimed_identity(
    desk: Visit, claim: str | None, info: JsonObject | None, words: str
) -> None:
    desk.sidecar.identities += [info] if info else []
    desk.sidecar.list_participant(state("alice", 0, "inconclusive", "silence"), claim)
    await desk.live()
    card = desk.card("alice")
    await expect(card.locator(".claim")).to_have_text(f"claims to be {claim}" if claim else "claims no identity")
    await expect(card.locator(".enrolment")).to_have_text(words)
    await expect(card.locator(".enrolment")).to_be_visible(visible=bool(words))
    assert desk.complaints == []


async def test_a_reference_of_other_encoders_is_called_outdated(desk: Visit) -> None:
    desk.sidecar.identities.append(identity("Alice"))
    outdated: JsonObject = {
        "pairwise": {"score": None, "p_value": None, "reason": "reference_outdated", "evidence": {}}
    }
    said = state("alice", 0, "inconclusive", "reference_outdated", scores=outdated)
    desk.sidecar.list_participant(said, "Alice")
    await desk.live()
    card = desk.card("alice")
    await expect(card.locator(".enrolment[data-kind=outdated]")).to_contain_text("reference outdated: enrol anew")
    await expect(card.locator(".title")).to_have_text("Reference outdated")
    await desk.sidecar.say(state("alice", 1, "bona_fide", None, scores={"pairwise": pairwise()}))
    await expect(card.locator(".enrolment[data-kind=enrolled]")).to_have_text("enrolled since 4 Mar 2026")


async def test_a_comparison_shows_its_parts_apart_and_the_worst_pair(visit: Visit) -> None:
    await visit.live()
    scores = {"pairwise": pairwise(0.004)}
    await visit.sidecar.say(state("mallory", 0, "suspect", "identity_mismatch", scores=scores))
    card = visit.card("mallory")
    await expect(card.locator(".title")).to_have_text("Not like the enrolled person")
    await card.locator("summary").press("Enter")
    figure = card.locator(".likeness")
    await expect(figure.locator("dd")).to_have_text(["1 in 250 (+3.1 σ)", "usual (−0.4 σ)", "1 in 20 (+1.4 σ)"])
    await expect(figure.locator("svg.pair path.outline")).to_have_count(2)
    words = "Two outlines of a face: in this call 3 s ago, and enrolled 4 Mar 2026, as recorded."
    await expect(figure.locator("svg.pair")).to_have_attribute("aria-label", words)
    await expect(figure.locator(".caption").last).to_contain_text("no picture of anybody is stored")
    assert await figure.locator("img, canvas, image").count() == 0
    live, kept = [await path.get_attribute("d") for path in await figure.locator("path.outline").all()]
    assert live is not None
    assert kept is not None
    assert live.count("M") == kept.count("M") == 9
    if folder := os.environ.get("SIDEWITNESS_PICTURES"):
        await card.screenshot(path=Path(folder) / "comparison.png")
    # Without anything to compare with there is nothing to draw, and what was drawn last stays.
    abstained = pairwise(score=None, p_value=None, reason="no_face", evidence={})
    await visit.sidecar.say(state("mallory", 1, "inconclusive", "no_face", scores={"pairwise": abstained}))
    await expect(card.locator(".title")).to_have_text("No face in view")
    await expect(figure.locator("svg.pair path.outline")).to_have_count(2)


async def test_a_finding_of_another_face_shows_the_parts_without_a_face(visit: Visit) -> None:
    await visit.live()
    score = pairwise(0.001)
    kept = {name: value for name, value in score.pop("evidence").items() if name != "worst_pair"}
    evidence = {"pairwise": kept}
    reasons: JsonObject = {"reason": "identity_mismatch", "scores": {"pairwise": score}, "evidence": evidence}
    await visit.sidecar.say(finding(1, "opened", 0, **reasons))
    row = visit.page.locator(".finding")
    await expect(row.locator("summary .title")).to_have_text("Not like the enrolled person")
    await row.locator("summary").press("Enter")
    await expect(row.locator(".detail")).to_contain_text("Typical of a swapped face")
    await expect(row.locator(".measures dd").first).to_have_text("1 in 1,000 (+3.1 σ)")
    await expect(row.locator("svg.pair")).to_be_hidden()
    await expect(row.locator("svg.curve")).to_be_hidden()


async def test_movement_shows_both_answers_and_the_moments_that_did_not_look_like_the_person(visit: Visit) -> None:
    await visit.live()
    scores = {"persona": persona(0.01)}
    await visit.sidecar.say(state("mallory", 0, "suspect", "moves_unlike_enrolled", scores=scores))
    card = visit.card("mallory")
    await expect(card.locator(".title")).to_have_text("Moves unlike the enrolled person")
    await card.locator("summary").press("Enter")
    figure = card.locator(".movement")
    await expect(figure.locator("dt")).to_have_text(["Movement for what is said", "Manner of moving"])
    await expect(figure.locator("dd")).to_have_text(["1 in 100 (+2.6 σ)", "usual (+0.7 σ)"])
    await expect(figure.locator("rect.moment")).to_have_count(39)
    await expect(figure.locator("rect.moment.unlike")).to_have_count(6)
    words = "Of 39 moments in 20 s, 6 did not look like the enrolled person."
    await expect(figure.locator("svg.timeline")).to_have_attribute("aria-label", words)
    if folder := os.environ.get("SIDEWITNESS_PICTURES"):
        await card.screenshot(path=Path(folder) / "movement.png")
    silent = persona(score=None, p_value=None, reason="too_little_speech", evidence={"speech_seconds": 0.4})
    await visit.sidecar.say(state("mallory", 1, "inconclusive", "too_little_speech", scores={"persona": silent}))
    await expect(card.locator(".title")).to_have_text("Too little speech")
    await expect(figure.locator("rect.moment")).to_have_count(39)


async def test_a_finding_of_other_movement_keeps_its_timeline(visit: Visit) -> None:
    await visit.live()
    score = persona(0.001)
    evidence = {"persona": score.pop("evidence")}
    reasons: JsonObject = {"reason": "moves_unlike_enrolled", "scores": {"persona": score}, "evidence": evidence}
    await visit.sidecar.say(finding(1, "opened", 0, **reasons))
    row = visit.page.locator(".finding")
    await expect(row.locator("summary .title")).to_have_text("Moves unlike the enrolled person")
    await row.locator("summary").press("Enter")
    await expect(row.locator(".detail")).to_contain_text("Typical of a face that another person drives")
    await expect(row.locator("rect.moment.unlike")).to_have_count(6)
    await expect(row.locator("svg.pair")).to_be_hidden()


async def test_change_within_the_call_is_shown_without_a_reference(desk: Visit) -> None:
    await desk.live()
    evidence = {"shots": 9, "within_call": {"value": 2.5, "p_value": 0.01}}
    scores = {"pairwise": {"score": None, "p_value": None, "reason": "not_enrolled", "evidence": evidence}}
    await desk.sidecar.say(state("alice", 0, "inconclusive", "not_enrolled", scores=scores))
    card = desk.card("alice")
    await expect(card.locator(".scores")).to_contain_text("nobody to compare with")
    await expect(card.locator(".likeness dd")).to_have_text(["not known", "not known", "1 in 100 (+2.5 σ)"])
    await expect(card.locator("svg.pair")).to_be_hidden()


async def test_the_outline_is_drawn_as_the_sidecar_writes_it(desk: Visit) -> None:
    await desk.open()
    curves = await desk.run("outline.js", "return m.CURVES")
    assert curves == [[len(curve.points), curve.closed] for curve in CURVES]
    broken = [None, [], [[0, 0]] * 138, [[0, None]] * 139, [["0", "0"]] * 139]
    assert await desk.run("outline.js", "return x.map(m.isOutline)", broken) == [False] * 5


async def test_who_left_is_marked_and_goes_away(desk: Visit) -> None:
    await desk.page.clock.install()
    await desk.live()
    await desk.sidecar.say(state("alice", 0, "inconclusive", "silence"))
    await expect(desk.card("alice")).to_be_visible()
    await desk.page.clock.run_for(6_000)
    await expect(desk.card("alice").locator(".title")).to_have_text("Left the call")
    await expect(desk.page.locator("#count-inconclusive")).to_have_text("0")
    await desk.page.clock.run_for(31_000)
    await desk.page.clock.run_for(6_000)
    await expect(desk.page.locator("#no-calls")).to_be_visible()


async def test_the_last_word_marks_a_participant_as_gone(visit: Visit) -> None:
    await visit.live()
    last: JsonObject = {"scores": {}, "statistic": None, "threshold": None, "quality": {}}
    await visit.sidecar.say(*stream("alice", 20, "suspect", "lips_disagree_with_voice"))
    await visit.sidecar.say(state("alice", 10, "inconclusive", "ended", **last))
    await expect(visit.card("alice").locator(".title")).to_have_text("Left the call")
    await expect(visit.card("alice").locator(".evidence")).to_have_text("No evidence")
    await expect(visit.page.locator("#count-inconclusive")).to_have_text("0")
    await visit.sidecar.say(state("alice", 12, "inconclusive", "warming_up"))
    await expect(visit.card("alice").locator(".title")).to_have_text("Warming up")


# The connection


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


# A detector that the page has no picture for

EARS: JsonObject = {"name": "ears", "label": "ears", "question": "Do the ears belong to the person?"} | {
    "one_sided": False,
    "needs_identity": True,
}
EVIDENCE: JsonObject = {
    "distance": 1.23456,
    "checked": True,
    "per_ear": {"left": 0.5, "right": None, "note": "<b>hidden</b>"},
    "recent": [1, 2, 3],
    "series": list(range(40)),
}


def with_ears(sidecar: Sidecar) -> None:
    sidecar.words["detectors"].append(EARS)
    sidecar.words["reasons"]["ears_differ"] = {
        "title": "Ears unlike the enrolled person's",
        "brief": None,
        "details": {"alert": "Typical of a swapped head: check with the person another way."},
    }


async def test_any_detector_gets_a_row_and_a_table(visit: Visit) -> None:
    with_ears(visit.sidecar)
    await visit.live()
    ears = {"score": 2.5, "p_value": 0.004, "reason": None, "evidence": EVIDENCE}
    await visit.sidecar.say(state("mallory", 0, "alert", "ears_differ", scores={"ears": ears}))
    card = visit.card("mallory")
    await expect(card.locator(".title")).to_have_text("Ears unlike the enrolled person's")
    await expect(card.locator(".detail")).to_have_text("Typical of a swapped head: check with the person another way.")
    await card.locator("summary").press("Enter")
    await expect(card.locator(".scores dt")).to_have_text("ears")
    await expect(card.locator(".scores dt")).to_have_attribute("title", EARS["question"])
    await expect(card.locator(".scores dd")).to_have_text("seen in 1 of 250 genuine windows")
    table = card.locator("[data-detector=ears]")
    await expect(table.locator("figcaption")).to_have_text("ears: Do the ears belong to the person?")
    rows = [await row.all_inner_texts() for row in [table.locator("th"), table.locator("td")]]
    assert dict(zip(*rows, strict=True)) == {
        "Score": "2.5",
        "p-value": "0.004, seen in 1 of 250 genuine windows",
        "Distance": "1.235",
        "Checked": "yes",
        "Per ear: left": "0.5",
        "Per ear: right": "–",
        "Per ear: note": "<b>hidden</b>",
        "Recent": "1, 2, 3",
        "Series": "40 entries",
    }
    await expect(card.locator("figure:visible")).to_have_count(2)
    if folder := os.environ.get("SIDEWITNESS_PICTURES"):
        await card.screenshot(path=Path(folder) / "any_detector.png")
    silent: JsonObject = {"score": None, "p_value": None, "reason": "silence", "evidence": {}}
    await visit.sidecar.say(state("mallory", 1, "inconclusive", "silence", scores={"ears": silent}))
    await expect(table.locator("td")).to_have_text(["none", "Silence"])


async def test_any_detector_is_in_a_finding_and_may_find_a_reference_outdated(desk: Visit) -> None:
    with_ears(desk.sidecar)
    desk.sidecar.identities.append(identity("Alice"))
    outdated: JsonObject = {"score": None, "p_value": None, "reason": "reference_outdated", "evidence": {}}
    shown = state("alice", 0, "inconclusive", "reference_outdated", scores={"ears": outdated})
    desk.sidecar.list_participant(shown, "Alice")
    await desk.live()
    await expect(desk.card("alice").locator(".enrolment[data-kind=outdated]")).to_contain_text("enrol anew")
    score = {"ears": {"score": 2.5, "p_value": 0.004, "reason": None}}
    await desk.sidecar.say(finding(1, "opened", 0, reason="ears_differ", scores=score, evidence={"ears": EVIDENCE}))
    row = desk.page.locator(".finding")
    await expect(row.locator("summary .title")).to_have_text("Ears unlike the enrolled person's")
    await row.locator("summary").press("Enter")
    await expect(row.locator("[data-detector=ears] th")).to_contain_text(["Score", "p-value", "Distance", "Checked"])
    assert desk.complaints == []


async def test_what_nobody_has_words_for_is_readable(desk: Visit) -> None:
    await desk.live()
    nose = {"score": 0.5, "p_value": None, "reason": None}
    await desk.sidecar.say(state("alice", 0, "suspect", "nose_too_long", scores={"nose_length": nose}))
    card = desk.card("alice")
    await expect(card.locator(".title")).to_have_text("Nose too long")
    await expect(card.locator(".detail")).to_contain_text("has not reached the alert level")
    await expect(card.locator(".scores")).to_contain_text("Nose length")
    await expect(card.locator(".scores")).to_contain_text("score 0.50")
    assert desk.complaints == []


# Your own camera


async def test_the_camera_is_published_judged_and_deleted(visit: Visit) -> None:
    sidecar, page = visit.sidecar, visit.page
    await page.context.grant_permissions(["camera", "microphone"])
    await visit.live("/try")
    await expect(page.locator("main")).to_contain_text("Nothing of your picture or sound is stored")
    await page.locator("#start").focus()
    await page.keyboard.press("Enter")
    await sidecar.until(lambda: sidecar.frames >= 3)
    [(call, name)] = sidecar.published
    assert call == "try"
    assert name.startswith("you-")
    await expect(page.locator("#progress")).to_contain_text("Publishing")
    settings = "document.querySelector('video').srcObject.getAudioTracks()[0].getSettings()"
    for clean_up in ("echoCancellation", "noiseSuppression", "autoGainControl"):
        assert await page.evaluate(f"{settings}.{clean_up}") is False
    await sidecar.say(state("somebody", 0, "alert", None, call="try"))
    await sidecar.say(state(name, 0, "inconclusive", "no_face", call="try"))
    await expect(page.locator(".card")).to_have_count(1)
    await expect(visit.card(name).locator(".title")).to_have_text("No face in view")
    await sidecar.say(finding(1, "opened", 1, call="try", participant=name))
    await expect(page.locator(".finding .status")).to_have_text("Open")
    await page.locator("#stop").click()
    await sidecar.until(lambda: sidecar.deleted == [name])
    await expect(page.locator("#start")).to_be_focused()


async def test_who_the_one_before_the_camera_claims_to_be(desk: Visit) -> None:
    sidecar, page = desk.sidecar, desk.page
    sidecar.identities.append(identity("Alice Example"))
    await page.context.grant_permissions(["camera", "microphone"])
    await desk.live("/try")
    await page.locator("#identity").fill(" Alice Example ")
    await page.locator("#start").click()
    await expect(page.locator("#progress")).to_contain_text("Publishing")
    await expect(page.locator("#identity")).to_be_disabled()
    assert sidecar.claims == ["Alice Example"]
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 0, "inconclusive", "no_face", call="try"))
    await expect(desk.card(name).locator(".claim")).to_have_text("claims to be Alice Example")
    await expect(desk.card(name).locator(".enrolment")).to_have_text("enrolled since 4 Mar 2026")
    await page.locator("#stop").click()
    await expect(page.locator("#identity")).to_be_enabled()
    assert desk.complaints == []


async def test_leaving_the_page_ends_the_session(desk: Visit) -> None:
    sidecar = desk.sidecar
    await desk.page.context.grant_permissions(["camera", "microphone"])
    await desk.live("/try")
    await desk.page.locator("#start").click()
    await sidecar.until(lambda: sidecar.frames >= 1)
    await desk.page.goto("about:blank")
    await sidecar.until(lambda: len(sidecar.deleted) == 1)


async def test_a_session_that_the_sidecar_ends_is_told(desk: Visit) -> None:
    sidecar = desk.sidecar
    await desk.page.context.grant_permissions(["camera", "microphone"])
    await desk.live("/try")
    await desk.page.locator("#start").click()
    await expect(desk.page.locator("#progress")).to_contain_text("Publishing")
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 1, "inconclusive", "ended", call="try"))
    await expect(desk.page.locator("#problem")).to_contain_text("connection to the sidecar ended")
    await expect(desk.page.locator("#start")).to_be_visible()


REFUSALS = [(503, "full. Start again in 7 seconds"), (415, "refused the camera (415)")]


@pytest.mark.parametrize(("status", "words"), REFUSALS)
async def test_a_refusal_says_what_to_do(desk: Visit, status: int, words: str) -> None:
    desk.sidecar.refuse_publish = status
    await desk.page.context.grant_permissions(["camera", "microphone"])
    await desk.live("/try")
    await desk.page.locator("#start").click()
    await expect(desk.page.locator("#problem")).to_contain_text(words)
    await expect(desk.page.locator("#start")).to_be_visible()
    assert await desk.page.evaluate("document.querySelector('video').srcObject") is None
    assert [c for c in desk.complaints if REFUSED_REQUEST not in c] == []


async def test_a_camera_that_is_not_allowed(desk: Visit) -> None:
    await desk.live("/try")
    await desk.page.locator("#start").click()
    await expect(desk.page.locator("#problem")).to_contain_text("was not allowed")
    assert desk.complaints == []


async def test_no_camera_at_all(bare_browser: Browser, sidecar: Sidecar) -> None:
    context = await bare_browser.new_context()
    await context.grant_permissions(["camera", "microphone"])
    visit = await visit_with(context, sidecar)
    await visit.live("/try")
    await visit.page.locator("#start").click()
    await expect(visit.page.locator("#problem")).to_contain_text("No camera or no microphone was found")
    assert visit.complaints == []
    await context.close()


async def test_late_candidates_become_a_fragment_and_tcp_ones_stay_home(desk: Visit) -> None:
    await desk.open("/try")
    sdp = "\r\n".join(
        [
            "v=0",
            "a=group:BUNDLE 0 1",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "a=candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host",
            "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
            "a=ice-ufrag:abcd",
            "a=ice-pwd:0123456789012345678901",
            "a=mid:0",
            "",
        ]
    )
    assert "tcp" not in await desk.run("whip.js", "return m.withoutTcp(x)", sdp)
    late = "candidate:3 1 udp 1 192.0.2.8 5 typ srflx"
    body = await desk.run("whip.js", "return m.fragment(x.sdp, [{ candidate: x.late }])", {"sdp": sdp, "late": late})
    assert body.split("\r\n") == [
        "a=group:BUNDLE 0 1",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=candidate:3 1 udp 1 192.0.2.8 5 typ srflx",
        "",
    ]

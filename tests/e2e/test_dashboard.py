"""Cards and findings in a real Chromium at phone and desk width, against a scripted sidecar."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

from monitor.face.outline import CURVES
from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import TOKEN, JsonObject, curve, finding, identity, pairwise, persona, state
from tests.e2e.visit import Visit, stream

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


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


async def test_a_finding_of_one_who_left_waits_with_what_they_were_suspected_of(visit: Visit) -> None:
    await visit.live()
    left = finding(2, "updated", 30, verdict="inconclusive", reason="ended", scores={}, evidence={})
    await visit.sidecar.say(finding(1, "opened", 0), left)
    row = visit.page.locator("#findings > li")
    await expect(row.locator(".steps li")).to_contain_text(["Opened", "Waits: left the call"])
    await expect(row.locator(".status")).to_have_text("Open")
    await row.locator("summary").click()
    await expect(row).to_contain_text("seen in 1 of 500 genuine windows")
    await visit.sidecar.say(finding(3, "updated", 40))
    await expect(row.locator(".steps li")).to_contain_text(["Opened", "Waits", "Goes on"])


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


async def test_who_left_is_marked_and_goes_away(lone: Visit) -> None:
    await lone.page.clock.install()
    await lone.live()
    await lone.sidecar.say(state("alice", 0, "inconclusive", "silence"))
    await expect(lone.card("alice")).to_be_visible()
    await lone.page.clock.run_for(6_000)
    await expect(lone.card("alice").locator(".title")).to_have_text("Left the call")
    await expect(lone.page.locator("#count-inconclusive")).to_have_text("0")
    await lone.page.clock.run_for(31_000)
    await lone.page.clock.run_for(6_000)
    await expect(lone.page.locator("#no-calls")).to_be_visible()


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

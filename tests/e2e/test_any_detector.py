"""A detector, a reason and a verdict that the page has never heard of are shown all the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import JsonObject, Sidecar, finding, identity, state
from tests.e2e.visit import Visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


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

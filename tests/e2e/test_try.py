"""The page that publishes your camera, in a real Chromium, with real media over WebRTC."""

from __future__ import annotations

import shutil

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.browser import CHROMIUM
from tests.e2e.dashboard_fixtures import Sidecar, finding, identity, state
from tests.e2e.visit import REFUSED_REQUEST, Visit, visiting

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="Chromium is not installed (Debian package: chromium)"),
]


async def test_the_camera_is_published_judged_and_deleted(camera: Visit) -> None:
    sidecar, page = camera.sidecar, camera.page
    await camera.live("/try")
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
    await expect(camera.card(name).locator(".title")).to_have_text("No face in view")
    await sidecar.say(finding(1, "opened", 1, call="try", participant=name))
    await expect(page.locator(".finding .status")).to_have_text("Open")
    # Who is judged reads words: no score, no curve, no evidence.
    for numbers in (".scores", ".more", "main figure", "main .evidence"):
        assert await page.locator(numbers).count() == 0, numbers
    await page.locator("#stop").click()
    await sidecar.until(lambda: sidecar.deleted == [name])
    await expect(page.locator("#start")).to_be_focused()


async def test_scores_are_shown_where_the_operator_says_so(desk_camera: Visit) -> None:
    sidecar, page = desk_camera.sidecar, desk_camera.page
    sidecar.try_scores = True
    await desk_camera.live("/try")
    await page.locator("#start").click()
    await expect(page.locator("#progress")).to_contain_text("Publishing")
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 0, "inconclusive", "no_face", call="try"))
    await expect(desk_camera.card(name).locator(".more summary")).to_have_text("Scores and evidence")
    assert await page.locator(".card figure").count() >= 1


async def test_the_keyboard_keeps_its_place_from_start_to_stop_and_back(desk_camera: Visit) -> None:
    """The button that was pressed goes; its successor has the focus, and so does whatever comes after a refusal."""
    page, sidecar = desk_camera.page, desk_camera.sidecar
    await desk_camera.live("/try")
    await page.locator("#start").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#stop")).to_be_focused()
    await expect(page.locator("#progress")).to_contain_text("Publishing")
    await expect(page.locator("#stop")).to_be_focused()
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 1, "inconclusive", "media_ended", call="try"))
    await expect(page.locator("#problem")).to_contain_text("connection to the sidecar ended")
    await expect(page.locator("#start")).to_be_focused()


async def test_who_the_one_before_the_camera_claims_to_be(desk_camera: Visit) -> None:
    sidecar, page = desk_camera.sidecar, desk_camera.page
    sidecar.identities.append(identity("Alice Example"))
    await desk_camera.live("/try")
    await page.locator("#identity").fill(" Alice Example ")
    await page.locator("#start").click()
    await expect(page.locator("#progress")).to_contain_text("Publishing")
    await expect(page.locator("#identity")).to_be_disabled()
    assert sidecar.claims == ["Alice Example"]
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 0, "inconclusive", "no_face", call="try"))
    await expect(desk_camera.card(name).locator(".claim")).to_have_text("claims to be Alice Example")
    await expect(desk_camera.card(name).locator(".enrolment")).to_have_text("enrolled since 4 Mar 2026")
    await page.locator("#stop").click()
    await expect(page.locator("#identity")).to_be_enabled()
    assert desk_camera.complaints == []


async def test_leaving_the_page_ends_the_session(desk_camera: Visit) -> None:
    sidecar = desk_camera.sidecar
    await desk_camera.live("/try")
    await desk_camera.page.locator("#start").click()
    await sidecar.until(lambda: sidecar.frames >= 1)
    await desk_camera.page.goto("about:blank")
    await sidecar.until(lambda: len(sidecar.deleted) == 1)


async def test_a_session_that_the_sidecar_ends_is_told(desk_camera: Visit) -> None:
    sidecar = desk_camera.sidecar
    await desk_camera.live("/try")
    await desk_camera.page.locator("#start").click()
    await expect(desk_camera.page.locator("#progress")).to_contain_text("Publishing")
    [(_, name)] = sidecar.published
    await sidecar.say(state(name, 1, "inconclusive", "ended", call="try"))
    await expect(desk_camera.page.locator("#problem")).to_contain_text("connection to the sidecar ended")
    await expect(desk_camera.page.locator("#start")).to_be_visible()


REFUSALS = [(503, "full. Start again in 7 seconds"), (415, "refused the camera (415)")]


@pytest.mark.parametrize(("status", "words"), REFUSALS)
async def test_a_refusal_says_what_to_do(desk_camera: Visit, status: int, words: str) -> None:
    desk_camera.sidecar.refuse_publish = status
    await desk_camera.live("/try")
    await desk_camera.page.locator("#start").click()
    await expect(desk_camera.page.locator("#problem")).to_contain_text(words)
    await expect(desk_camera.page.locator("#start")).to_be_visible()
    assert await desk_camera.page.evaluate("document.querySelector('video').srcObject") is None
    assert [c for c in desk_camera.complaints if REFUSED_REQUEST not in c] == []


async def test_a_camera_that_is_not_allowed(desk: Visit) -> None:
    await desk.live("/try")
    await desk.page.locator("#start").click()
    await expect(desk.page.locator("#problem")).to_contain_text("was not allowed")
    assert desk.complaints == []


async def test_no_camera_at_all(bare_browser: Browser, sidecar: Sidecar) -> None:
    context = await bare_browser.new_context()
    await context.grant_permissions(["camera", "microphone"])
    async with visiting(context, sidecar) as visit:
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

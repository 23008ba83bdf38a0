"""`GET /v1/words`: open, cacheable, and complete."""

from __future__ import annotations

from pathlib import Path

import httpx

from monitor.decision.contrast import Contrast
from monitor.decision.words import REASONS, UNUSUAL
from monitor.detectors.registry import infos, phrases
from monitor.types import Claim, Reason, Verdict
from tests.monitor.api.documents import OpenApi
from tests.monitor.api.server import serving


async def test_words_of_every_verdict_reason_and_detector(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, httpx.AsyncClient(base_url=site.base) as stranger:
        answer = await stranger.get("/v1/words")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    words = answer.json()
    assert set(words) == {"verdicts", "reasons", "claims", "contrasts", "detectors"}
    assert set(words["claims"]) == {claim.value for claim in Claim}
    assert set(words["verdicts"]) == {verdict.value for verdict in Verdict}
    assert words["verdicts"]["bona_fide"]["label"] == "Bona fide"
    assert set(words["reasons"]) == {str(reason) for reason in {**REASONS, **phrases()}} >= {str(r) for r in Reason}
    assert words["reasons"]["not_enrolled"]["brief"] == "nobody to compare with"
    lips = words["reasons"]["lips_disagree_with_voice"]
    assert lips["title"] == "Lips and voice do not fit"
    assert set(lips["details"]) == {"inconclusive", "suspect", "alert"}
    assert lips["details"]["inconclusive"].endswith(UNUSUAL)
    assert lips["details"]["alert"] == phrases()[Reason.LIPS_DISAGREE_WITH_VOICE].consequence
    assert [detector["name"] for detector in words["detectors"]] == [info.name for info in infos()]
    assert words["detectors"][0] == {
        "name": "synchrony",
        "label": "lips",
        "question": "Do lips and voice belong together?",
        "one_sided": True,
        "needs_identity": False,
        "aspect": "lips",
        "fits": "fit the voice, as those of a good forgery do, too",
        "cause": "lips_disagree_with_voice",
    }
    assert set(words["contrasts"]) == {contrast.value for contrast in Contrast}
    assert words["contrasts"]["face_fits_voice_does_not"]["title"] == "The face is theirs and the voice is not"


async def test_words_are_sent_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, httpx.AsyncClient(base_url=site.base) as stranger:
        first = await stranger.get("/v1/words")
        etag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"
        for held in (etag, f'"other", W/{etag}', "*"):
            again = await stranger.get("/v1/words", headers={"If-None-Match": held})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            assert again.headers["cache-control"] == "no-cache"
            assert OpenApi().answer_problems("GET", "/v1/words", 304, "", "") == []
        assert (await stranger.get("/v1/words", headers={"If-None-Match": '"other"'})).content == first.content

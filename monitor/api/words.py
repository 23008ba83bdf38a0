"""What verdicts, reasons and detectors are called: the same for everybody, so no token is needed."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response

from monitor.alerts.plain import encode
from monitor.api.schemas import words as shapes
from monitor.api.schemas.operation import header, operation
from monitor.decision.words import CLAIMS, CONTRASTS, REASONS, VERDICTS, Phrase, describe, readable
from monitor.detectors import registry
from monitor.types import Reason, Verdict

GET_WORDS = operation(
    "What verdicts, reasons and detectors are called",
    shapes.Words,
    description="The words; no token is needed.",
    headers={"ETag": "Send it as `If-None-Match` to get the words only where they have changed."},
)
GET_WORDS["responses"][304] = {"description": "As they were.", "headers": {"ETag": header("As it was.")}}


def document() -> dict[str, Any]:
    """Return the words as JSON values: reasons and verdicts by their name, detectors in the order to show them in."""
    return {
        "verdicts": {
            verdict.value: {"label": readable(verdict), "title": phrase.title, "detail": phrase.detail}
            for verdict, phrase in VERDICTS.items()
        },
        "reasons": {
            reason.value: _reason(reason, phrase) for reason, phrase in {**registry.phrases(), **REASONS}.items()
        },
        "claims": {claim.value: text for claim, text in CLAIMS.items()},
        "contrasts": {
            contrast.value: {"title": phrase.title, "detail": phrase.detail} for contrast, phrase in CONTRASTS.items()
        },
        "detectors": [
            {
                "name": info.name,
                "label": info.label,
                "question": info.question,
                "one_sided": info.one_sided,
                "needs_identity": info.needs_identity,
                "aspect": info.aspect and info.aspect.value,
                "fits": info.fits,
                "cause": info.cause.value,
            }
            for info in registry.infos()
        ],
    }


def _reason(reason: Reason, phrase: Phrase) -> dict[str, Any]:
    by_verdict = {
        verdict.value: describe(verdict, reason, {reason: phrase}).detail
        for verdict in (Verdict.INCONCLUSIVE, Verdict.SUSPECT, Verdict.ALERT)
    }
    return {"title": phrase.title, "brief": phrase.brief, "details": by_verdict}


def router() -> APIRouter:
    """Return `GET /v1/words`."""
    routes = APIRouter(tags=["words"])
    body = encode(document())
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    # No-cache: it may be kept, but a page of the next release must not speak with the words of this one.
    headers = {"Cache-Control": "no-cache", "ETag": etag}

    @routes.get("/v1/words", **GET_WORDS)
    async def get_words(if_none_match: Annotated[str, Header()] = "") -> Response:
        held = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        if held & {etag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return routes

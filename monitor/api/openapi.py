"""The OpenAPI document of the HTTP surface and the JSON Schemas of the WebSocket's messages and of `scan --json`.

Renew those in `docs/`, and the table of who may call what in docs/tokens.md, with
`python -m monitor.api.openapi`; a test compares them with what a running server says. The server does not publish them
itself: they would be one more thing that anybody who reaches the port can read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from monitor.api import health, role_table
from monitor.api.app import Parts, application
from monitor.api.identities import People, Policy
from monitor.api.schemas.base import Shape
from monitor.api.schemas.calls import ProblemDetails
from monitor.api.schemas.findings import CaseMessage
from monitor.api.schemas.messages import (
    FindingMessage,
    Gap,
    Hello,
    Ping,
    Pong,
    StateMessage,
    Subscribe,
    Tampered,
    Unmonitored,
)
from monitor.api.schemas.scan import ScanLine
from monitor.config import Settings

# Of the surface (`/v1`), not of the release.
VERSION = "1"
TOKENS_PAGE = "tokens.md"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = """Who is judged now, what was found, who is enrolled, how participants are published (WHIP, RFC 9725).

Everything under `/v1` needs a bearer token of a role that may do it (docs/tokens.md), but for `/v1/words` and for what
WHIP clients ask before they publish.
Errors are problem JSON (RFC 9457). Answers may gain fields. Findings and states come over the WebSocket `/v1/alerts`:
see docs/api.md and the schemas beside this document."""
ADMIN_DESCRIPTION = """Health and metrics, on a listener of the operator's own (`admin_host`, `admin_port`).

No token: whoever reaches it reads everything, the counts of verdicts too."""
MESSAGES: dict[str, type[Shape]] = {
    "subscribe": Subscribe,
    "hello": Hello,
    "finding": FindingMessage,
    "state": StateMessage,
    "unmonitored": Unmonitored,
    "case": CaseMessage,
    "gap": Gap,
    "tampered": Tampered,
    "ping": Ping,
    "pong": Pong,
    "scan": ScanLine,
}


def document(app: FastAPI, description: str = DESCRIPTION) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    made = get_openapi(
        title=app.title,
        version=VERSION,
        summary="A sidecar that joins live video calls and catches deepfaked participants.",
        description=description,
        routes=app.routes,
    )
    made["components"]["schemas"]["ProblemDetails"] = ProblemDetails.model_json_schema(ref_template=REFERENCE)
    made["components"]["schemas"] = dict(sorted(made["components"]["schemas"].items()))
    return made


def message_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each message, by the name of its file."""
    return {name: {"$schema": DIALECT, **shape.model_json_schema()} for name, shape in MESSAGES.items()}


def render(value: dict[str, Any]) -> str:
    """Return the text of a published file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def published() -> dict[str, str]:
    """Return the text of every published file, by its path below `docs`."""
    files = {f"schemas/{name}.json": render(schema) for name, schema in message_schemas().items()}
    documents = {
        "openapi.json": render(document(described_application())),
        "openapi-admin.json": render(document(described_operators(), ADMIN_DESCRIPTION)),
    }
    return {**documents, **files}


def described_application() -> FastAPI:
    """Return the application with nothing behind it: its routes are described and never called."""
    nothing: Any = None
    people = People(nothing, nothing, nothing, nothing, Policy())
    parts = Parts(
        nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, people
    )
    return application(Settings(), parts, nothing)


def described_operators() -> FastAPI:
    """Return the application of the operator's listener with nothing behind it."""
    nothing: Any = None
    return health.operators(nothing, nothing, nothing, nothing)


def main(folder: Path) -> None:
    """Write every published file below `folder`."""
    (folder / "schemas").mkdir(exist_ok=True)
    for name, text in published().items():
        (folder / name).write_text(text, encoding="utf-8")
    page = folder / TOKENS_PAGE
    if page.exists():
        page.write_text(role_table.renewed(page.read_text(), described_application()), encoding="utf-8")
    sys.stdout.write(f"written: {folder / 'openapi.json'} and {folder / 'schemas'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))

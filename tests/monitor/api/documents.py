"""Validation against the published documents, stricter than they are: nothing may be sent that is not described."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Where it is installed jsonschema builds 39 grammars for formats that nobody here asks for: three seconds an import.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from jsonschema import Draft202012Validator  # noqa: E402

DOCS = Path(__file__).parents[3] / "docs"
RENEW = "run `python -m monitor.api.openapi` and look at what has changed"


def read(name: str) -> Any:
    """A published file."""
    return json.loads((DOCS / name).read_text(encoding="utf-8"))


def closed(schema: Any) -> Any:
    """The schema with every object closed to fields that it does not describe."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def problems(schema: Any, value: Any) -> list[str]:
    """What is wrong with a value, nothing where it is as described."""
    validator = Draft202012Validator(closed(schema))
    validator.check_schema(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def message_problems(message: dict[str, Any]) -> list[str]:
    """What is wrong with a message of the WebSocket."""
    return problems(read(f"schemas/{message['type']}.json"), message)


class OpenApi:
    """The published document."""

    def __init__(self, name: str = "openapi.json") -> None:
        self.document = read(name)

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Method and path of everything described."""
        return {(method.upper(), path) for path, methods in self.document["paths"].items() for method in methods}

    def answer_problems(self, method: str, path: str, status: int, media_type: str, body: Any) -> list[str]:
        """What is wrong with an answer, `path` as it stands in the document."""
        answers = self.document["paths"][path][method.lower()]["responses"]
        if str(status) not in answers:
            return [f"{method} {path}: {status} is not described"]
        content = answers[str(status)].get("content", {})
        if not content:
            return [] if not body else [f"{method} {path}: {status} has a body that is not described"]
        if media_type not in content:
            return [f"{method} {path}: {status} as {media_type} is not described"]
        schema = {**content[media_type]["schema"], "components": self.document["components"]}
        return [f"{method} {path}: {problem}" for problem in problems(schema, body)]

"""The sink `sentinel`: rows to Microsoft Sentinel by the Logs Ingestion API of Azure Monitor.

A token of Microsoft Entra is fetched with client credentials (RFC 6749 section 4.4), kept until a minute before it
ends, and fetched anew when the API no longer takes it. Queries recognise repeated rows by `EventId`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from pydantic import Field, SecretStr

from engines.documents import DocumentError, parse_json
from monitor.alerts.plain import plain
from monitor.alerts.sinks.base import Item, SinkError, SinkSpec
from monitor.alerts.sinks.event import Event, event_of
from monitor.alerts.sinks.http import HttpOptions, HttpSink, Post, Reply, Url, retry_after_seconds
from monitor.types import rfc3339

API_VERSION: Final = "2023-01-01"
UNAUTHORIZED = 401
# A token is not used in its last minute: it might end on the way.
TOKEN_MARGIN_SECONDS = 60.0
DEFAULT_TOKEN_SECONDS = 300.0


class SentinelOptions(HttpOptions):
    """The endpoint of data collection, the rule and its stream, and the application that may write there."""

    endpoint: Url
    rule_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,128}$")
    stream: str = Field(default="Custom-SidewitnessFindings", pattern=r"^[A-Za-z0-9_-]{1,128}$")
    tenant_id: str = Field(pattern=r"^[A-Za-z0-9.-]{1,128}$")
    client_id: str = Field(min_length=1, max_length=128)
    client_secret: SecretStr = Field(min_length=1)
    login_url: Url = SecretStr("https://login.microsoftonline.com")
    scope: str = "https://monitor.azure.com/.default"


class SentinelSink(HttpSink):
    """Posts a batch as one request of rows."""

    def __init__(self, options: SentinelOptions) -> None:
        super().__init__(options)
        self._options = options
        stream = f"/dataCollectionRules/{quote(options.rule_id)}/streams/{quote(options.stream)}"
        endpoint = options.endpoint.get_secret_value().rstrip("/")
        self._url = f"{endpoint}{stream}?{urlencode({'api-version': API_VERSION})}"
        self._token: str | None = None
        self._token_ends = 0.0

    async def deliver(self, items: Sequence[Item]) -> None:
        """Send the items, after a token was fetched where there is none."""
        if self._token is None or time.monotonic() >= self._token_ends:
            await self._fetch_token()
        await super().deliver(items)

    def posts(self, items: Sequence[Item]) -> Iterable[Post]:
        """Return one request."""
        # Strict JSON, as everywhere: what is no finite number is null.
        rows = json_array([_row(event_of(item)) for item in items])
        return [Post(self._url, rows, {"Authorization": f"Bearer {self._token}"})]

    def check(self, reply: Reply) -> None:
        """Forget a token that is not taken: the next try fetches another."""
        if reply.status == UNAUTHORIZED:
            self._token = None
        super().check(reply)

    async def _fetch_token(self) -> None:
        options = self._options
        form = {
            "grant_type": "client_credentials",
            "client_id": options.client_id,
            "client_secret": options.client_secret.get_secret_value(),
            "scope": options.scope,
        }
        url = f"{options.login_url.get_secret_value().rstrip('/')}/{quote(options.tenant_id)}/oauth2/v2.0/token"
        post = Post(url, urlencode(form).encode(), content_type="application/x-www-form-urlencoded")
        reply = await self.client.post(post)
        if reply.status != 200:
            # Whatever it is, it is no word about a finding.
            asked = retry_after_seconds(reply.headers.get("retry-after"))
            raise SinkError(f"no token is given to the sink ({reply.status}): correct its credentials", asked)
        try:
            given = parse_json(reply.body)
            token, seconds = given["access_token"], float(given.get("expires_in", DEFAULT_TOKEN_SECONDS))
        except (DocumentError, KeyError, TypeError, ValueError, AttributeError):
            token, seconds = None, 0.0
        if not isinstance(token, str) or not token or not all("!" <= char <= "~" for char in token):
            raise SinkError("the answer to the sink's credentials holds no token: correct login_url")
        self._token, self._token_ends = token, time.monotonic() + seconds - TOKEN_MARGIN_SECONDS


def json_array(rows: Sequence[Any]) -> bytes:
    """Return rows as a JSON array."""
    return json.dumps(plain(rows), separators=(",", ":"), allow_nan=False).encode()


def _row(event: Event) -> dict[str, Any]:
    """Return the columns of the table (docs/sinks has its schema); those that a gap does not have are null."""
    message = event.message
    return {
        "TimeGenerated": rfc3339(event.time),
        "EventId": event.id,
        "Sequence": event.seq,
        "Kind": event.kind,
        "Title": event.title,
        "Severity": event.severity.value,
        "FindingId": message.get("id"),
        "CallId": message.get("call"),
        "Participant": message.get("participant"),
        "ClaimedIdentity": message.get("identity"),
        "Verdict": message.get("verdict"),
        "Reason": message.get("reason"),
        "Scores": message.get("scores"),
        "Evidence": message.get("evidence"),
    }


SPEC = SinkSpec("sentinel", SentinelOptions, SentinelSink)

"""A page that a test looks at, with everything that it complained of."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page

from tests.e2e.dashboard_fixtures import TOKEN, JsonObject, Sidecar, state

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


@contextlib.asynccontextmanager
async def visiting(context: BrowserContext, sidecar: Sidecar) -> AsyncIterator[Visit]:
    """A fresh page of a context; it has a session storage of its own, and its sockets end with it."""
    visit = Visit(await context.new_page(), sidecar)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visit.complaints.append(message.text)

    visit.page.on("console", on_console)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    yield visit
    await visit.page.close()


def stream(participant: str, count: int, verdict: str, reason: str | None, **more: Any) -> list[JsonObject]:
    """One state every half second, the evidence growing tenfold every ten seconds."""
    return [state(participant, i / 2, verdict, reason, **{"statistic": 10 ** (i / 20)} | more) for i in range(count)]

"""Headless Chromium and a small web server, for the end-to-end tests."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, async_playwright
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tests.e2e.dashboard_fixtures import QuietServer

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]


@contextlib.asynccontextmanager
async def chromium(devices: int = 1) -> AsyncIterator[Browser]:
    """A browser that plays without being clicked and does not slow down pages that nobody sees.

    It has `devices` fake cameras and as many microphones.
    """
    arguments = [*ARGUMENTS, f"--use-fake-device-for-media-stream=device-count={devices}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, headless=True)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on an ephemeral loopback port; gives its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = QuietServer(uvicorn.Config(app, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def folders(**named: Path) -> Starlette:
    """Serve folders, each under its name."""
    return Starlette(routes=[Mount(f"/{name}", StaticFiles(directory=path)) for name, path in named.items()])

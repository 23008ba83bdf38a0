"""Whether the process lives, whether it is ready, and its numbers; open to whoever reaches the port, free of names."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.api.reply import reply
from monitor.host.calls import Calls
from monitor.host.metrics import Metrics


def router(calls: Calls, recorder: Recorder, hub: Hub, metrics: Metrics) -> APIRouter:
    """Return `/healthz`, `/readyz` and `/metrics`."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> Response:
        return reply({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> Response:
        """Answer 200 when publications are taken and findings can be written down."""
        journal = await recorder.probe()
        ready = journal is None and not calls.draining
        status = "ready" if ready else "draining" if calls.draining else "not ready"
        body = {"status": status, "journal": journal or "ok", "waiting": len(recorder)}
        return reply(body, 200 if ready else 503)

    @routes.get("/metrics")
    async def numbers() -> Response:
        metrics.findings_waiting.set(len(recorder))
        metrics.subscribers.set(len(hub))
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes

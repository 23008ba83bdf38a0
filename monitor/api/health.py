"""Whether the process lives, whether it is ready, and its numbers; open to whoever reaches the port, free of names."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.api.reply import reply
from monitor.api.schemas.calls import Alive, Readiness
from monitor.api.schemas.operation import operation
from monitor.host.calls import Calls
from monitor.host.metrics import Metrics

METRICS_TYPE = CONTENT_TYPE_LATEST.partition(";")[0]
READY = operation("Publications are taken and findings can be written", Readiness)
READY["responses"][503] = {"description": "Not now: the answer says why.", "model": Readiness}


def router(calls: Calls, recorder: Recorder, hub: Hub, metrics: Metrics) -> APIRouter:
    """Return `/healthz`, `/readyz` and `/metrics`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", **operation("The process lives", Alive))
    async def healthz() -> Response:
        return reply({"status": "ok"})

    @routes.get("/readyz", **READY)
    async def readyz() -> Response:
        """Answer 200 when publications are taken and findings can be written down."""
        journal = await recorder.probe()
        ready = journal is None and not calls.draining
        status = "ready" if ready else "draining" if calls.draining else "not ready"
        body = {"status": status, "journal": journal or "ok", "waiting": len(recorder)}
        return reply(body, 200 if ready else 503)

    @routes.get("/metrics", **operation("Numbers for Prometheus", METRICS_TYPE))
    async def metrics_text() -> Response:
        metrics.findings_waiting.set(len(recorder))
        metrics.subscribers.set(len(hub))
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes

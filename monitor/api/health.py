"""Whether the process lives, whether it is ready, and its numbers: little for anybody, everything for the operator.

The operator's are on a listener of their own. Whoever reaches the public port learns nothing of how anybody is judged:
not from a verdict, not from a count of them, not from how many findings wait to be written.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from monitor.alerts.together import Hubs, Recorders
from monitor.api import problem
from monitor.api.reply import reply
from monitor.api.schemas.calls import Alive, Readiness, Ready
from monitor.api.schemas.operation import operation
from monitor.host.calls import Calls
from monitor.host.metrics import Metrics

METRICS_TYPE = CONTENT_TYPE_LATEST.partition(";")[0]
NOT_NOW = "Not now: the answer says why."
READY = operation("Publications are taken and findings can be written", Ready)
READY["responses"][503] = {"description": "Not now.", "model": Ready}
READY_IN_FULL = operation("Publications are taken and findings can be written", Readiness)
READY_IN_FULL["responses"][503] = {"description": NOT_NOW, "model": Readiness}


def router(calls: Calls, recorders: Recorders, hubs: Hubs, metrics: Metrics) -> APIRouter:
    """Return `/healthz`, `/readyz` and `/metrics` for anybody."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", **operation("The process lives", Alive))
    async def healthz() -> Response:
        return reply({"status": "ok"})

    @routes.get("/readyz", **READY)
    async def readyz() -> Response:
        status, _ = await _readiness(calls, recorders)
        return reply({"status": status}, 200 if status == "ready" else 503)

    @routes.get("/metrics", **operation("Numbers for Prometheus that say nothing of verdicts", METRICS_TYPE))
    async def metrics_text() -> Response:
        metrics.subscribers.set(len(hubs))
        await metrics.fresh()
        return _exposition(metrics.harmless)

    return routes


def operators(calls: Calls, recorders: Recorders, hubs: Hubs, metrics: Metrics) -> FastAPI:
    """Return the application of the operator's listener: the same paths, with everything."""
    app = FastAPI(
        title="Sidewitness: health and metrics",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    problem.install(app)

    @app.get("/healthz", tags=["health"], **operation("The process lives", Alive))
    async def healthz() -> Response:
        return reply({"status": "ok"})

    @app.get("/readyz", tags=["health"], **READY_IN_FULL)
    async def readyz() -> Response:
        """Answer 200 when publications are taken and findings can be written down."""
        status, journal = await _readiness(calls, recorders)
        hosts = {"alive": calls.alive.alive, "of": calls.alive.of}
        body = {"status": status, "journal": journal, "waiting": len(recorders), "hosts": hosts}
        return reply(body, 200 if status == "ready" else 503)

    @app.get("/metrics", tags=["health"], **operation("Numbers for Prometheus", METRICS_TYPE))
    async def metrics_text() -> Response:
        metrics.findings_waiting.set(len(recorders))
        metrics.findings_dropped.set(recorders.dropped)
        metrics.subscribers.set(len(hubs))
        await metrics.fresh()
        return _exposition(metrics.shown)

    return app


async def _readiness(calls: Calls, recorders: Recorders) -> tuple[str, str]:
    """Whether publications are taken, and what is wrong with the journal."""
    journal = await recorders.probe()
    if journal is None and not calls.draining and calls.alive.alive:
        return "ready", "ok"
    return "draining" if calls.draining else "not ready", journal or "ok"


def _exposition(registry: Collector) -> Response:
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

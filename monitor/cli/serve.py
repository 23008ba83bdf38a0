"""`sidewitness serve`: the sidecar itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings; SIDEWITNESS_* variables win.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8480).", min=0, max=65535)] = None,
    processes: Annotated[
        str | None, typer.Option(help="Processes that judge: a number, or auto for one a core (default 1).")
    ] = None,
    false_alerts_per_hour: Annotated[
        float | None, typer.Option(help="False alerts that you accept per participant and hour (default 0.1).")
    ] = None,
) -> None:
    """Run the sidecar and its dashboard.

    Participants come in by WHIP and are judged continuously; findings go to the subscribers of /v1/alerts. Without
    SIDEWITNESS_TOKEN a token is made and kept in a file; a terminal is shown the dashboard's address with it. Health
    and metrics are on the next port, for this machine only. SIGTERM drains and leaves.

    \b
    Example:
      SIDEWITNESS_TOKEN=$(openssl rand -hex 16) sidewitness serve --port 8480
    """  # noqa: D301 (the help formatter's own mark for a block that is not to be wrapped)
    from monitor.config import load

    settings = load(config, host=host, port=port, processes=processes, false_alerts_per_hour=false_alerts_per_hour)
    # After the settings: a mistake in them is told at once, not after the imports.
    from concurrent.futures import ThreadPoolExecutor

    from monitor.host.cluster.gateway import models_of

    with ThreadPoolExecutor(1, "models") as loading:
        # Compilation needs nothing of Python: it runs on one core while the web's packages are imported on another.
        models = loading.submit(models_of, settings)
        from monitor.serve import run

        run(settings, models.result)

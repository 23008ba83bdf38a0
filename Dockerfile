# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/sidewitness
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY .ci/constraints.txt /tmp/constraints.txt
COPY monitor monitor
COPY engines engines
COPY plugins plugins
RUN /opt/sidewitness/bin/pip install --no-cache-dir --disable-pip-version-check -c /tmp/constraints.txt . \
    && /opt/sidewitness/bin/pip uninstall --yes --quiet pip
# The identity encoder, from public-domain weights; what builds it stays behind.
RUN python -m venv /tmp/identity \
    && /tmp/identity/bin/pip install --no-cache-dir --disable-pip-version-check -c /tmp/constraints.txt '.[identity]' \
    && /tmp/identity/bin/sidewitness engines import dlib-face --accept-licence \
        --out "$(cd / && /opt/sidewitness/bin/python -c 'from engines.base import MODELS; print(MODELS)')"
# What hears speech, from a published wheel (MIT) that is read and not installed.
RUN /tmp/identity/bin/pip download --no-cache-dir --disable-pip-version-check --no-deps --dest /tmp/speech \
        silero-vad==6.2.3 \
    && /tmp/identity/bin/sidewitness engines import silero-vad /tmp/speech/*.whl --accept-licence \
        --out "$(cd / && /opt/sidewitness/bin/python -c 'from engines.base import MODELS; print(MODELS)')"

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/sidewitness sidewitness \
    && chmod 700 /var/lib/sidewitness
COPY --from=build /opt/sidewitness /opt/sidewitness
ENV PATH=/opt/sidewitness/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SIDEWITNESS_HOST=0.0.0.0 \
    SIDEWITNESS_STATE_DIR=/var/lib/sidewitness \
    SIDEWITNESS_LOG_FORMAT=json
USER sidewitness
WORKDIR /var/lib/sidewitness
VOLUME /var/lib/sidewitness
# Health and metrics are on 8481, inside the container only.
EXPOSE 8480
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from monitor.config import load; import urllib.request as r; r.urlopen(f'http://127.0.0.1:{load().health_port}/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sidewitness"]
CMD ["serve"]

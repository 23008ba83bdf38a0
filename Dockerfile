# syntax=docker/dockerfile:1
# A release names it by digest: `make base-image` writes it here, and `make release-check` wants it.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# What is built here is trusted where the image runs: by its user, who may read this list and not write it.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    SIDEWITNESS_TRUSTED_PACKS=/opt/sidewitness/trusted-packs
RUN python -m venv /opt/sidewitness && python -m venv /tmp/identity
COPY .ci/runtime.txt .ci/models.txt /tmp/
# Every file by its hash, what builds the wheel too: so nothing is fetched to build it.
RUN /opt/sidewitness/bin/pip install --require-hashes -r /tmp/runtime.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY monitor monitor
COPY engines engines
COPY plugins plugins
RUN /opt/sidewitness/bin/pip install --no-deps --no-build-isolation . \
    && /opt/sidewitness/bin/pip uninstall --yes --quiet setuptools pip
# The identity encoder, from public-domain weights; what builds it stays behind.
RUN /tmp/identity/bin/pip install --require-hashes -r /tmp/runtime.txt \
    && /tmp/identity/bin/pip install --require-hashes --no-build-isolation -r /tmp/models.txt \
    && /tmp/identity/bin/pip install --no-deps --no-build-isolation . \
    && /tmp/identity/bin/sidewitness engines import dlib-face --accept-licence \
        --out "$(/opt/sidewitness/bin/python -I -c 'from engines.base import MODELS; print(MODELS)')"
# What hears speech, from a published wheel (MIT) that is read and not installed; the importer knows its weights' hash.
RUN /tmp/identity/bin/pip download --no-deps --dest /tmp/speech silero-vad==6.2.3 \
    && /tmp/identity/bin/sidewitness engines import silero-vad /tmp/speech/*.whl --accept-licence \
        --out "$(/opt/sidewitness/bin/python -I -c 'from engines.base import MODELS; print(MODELS)')" \
    && chmod 644 "$SIDEWITNESS_TRUSTED_PACKS"
# What compares voices, from a published wheel (Apache-2.0) in the same way.
RUN /tmp/identity/bin/pip download --no-deps --dest /tmp/voice resemblyzer==0.1.4 \
    && /tmp/identity/bin/sidewitness engines import resemblyzer /tmp/voice/*.whl --accept-licence \
        --out "$(/opt/sidewitness/bin/python -I -c 'from engines.base import MODELS; print(MODELS)')" \
    && chmod 644 "$SIDEWITNESS_TRUSTED_PACKS"

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/sidewitness sidewitness \
    && chmod 700 /var/lib/sidewitness
COPY --from=build /opt/sidewitness /opt/sidewitness
ENV PATH=/opt/sidewitness/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SIDEWITNESS_HOST=0.0.0.0 \
    SIDEWITNESS_TRUSTED_PACKS=/opt/sidewitness/trusted-packs \
    SIDEWITNESS_STATE_DIR=/var/lib/sidewitness \
    SIDEWITNESS_LOG_FORMAT=json
# By number: an orchestrator that wants no root cannot look a name up.
USER 10001
WORKDIR /var/lib/sidewitness
VOLUME /var/lib/sidewitness
# Health and metrics are on 8481, inside the container only.
EXPOSE 8480
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from monitor.config import load; import urllib.request as r; r.urlopen(f'http://127.0.0.1:{load().health_port}/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sidewitness"]
CMD ["serve"]

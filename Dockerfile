# The worker's image: exactly the versions of requirements-worker.lock, no compiler, no root.

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/detector
COPY requirements-worker.lock ./
RUN /opt/detector/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: \
      -r requirements-worker.lock
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY detector detector
COPY detector_gate.py detector_guardrail.py ./
RUN /opt/detector/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 detector \
 && useradd --uid 10001 --gid detector --no-create-home --shell /usr/sbin/nologin detector \
 && install -d -o detector -g detector /var/cache/detector /var/lib/detector
COPY --from=build /opt/detector /opt/detector
# numba keeps its compiled kernels here; without a place to write, every start compiles again
ENV PATH=/opt/detector/bin:$PATH \
    NUMBA_CACHE_DIR=/var/cache/detector \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/detector
# /metrics, /livez and /readyz; bound to 127.0.0.1 unless DETECTOR_LISTEN_HOST says otherwise
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["detector"]
CMD ["worker"]

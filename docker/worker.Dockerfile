# Training worker: torch, no JVM and no pyspark.
#     docker build -f docker/worker.Dockerfile -t lsml-worker .
FROM python:3.11-slim-bookworm

# Which build of torch: the version must be that of constraints.txt, a local part (+cpu, +cu130) is free. Where pip
# shall look for it besides its default: --build-arg PIP_EXTRA_INDEX_URL=...
ARG TORCH=torch==2.13.0
ARG PIP_EXTRA_INDEX_URL
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "${TORCH}"

WORKDIR /opt/lsml
COPY setup.cfg pyproject.toml constraints.txt LICENSE ./
COPY lsml_spark lsml_spark
COPY jobs jobs
COPY pipelines pipelines
RUN pip install --no-cache-dir -c constraints.txt ".[train]" \
    && useradd --create-home --uid 10001 lsml \
    && install --directory --owner=lsml runs

USER 10001
VOLUME /opt/lsml/runs
CMD ["torchrun", "--help"]

# Training worker for all three launchers: alone (`local`), by torchrun, or as a Spark worker whose executors seat the ranks.
#     docker build -f docker/worker.Dockerfile -t lsml-worker .
# Without JVM and pyspark, for the first two:
#     docker build -f docker/worker.Dockerfile --target torch -t lsml-torch .
FROM python:3.11-slim-bookworm AS torch

# Which build of torch: the version must be that of constraints.txt, a local part (+cpu, +cu130) is free. Where pip
# shall look for it besides its default: --build-arg PIP_EXTRA_INDEX_URL=...
ARG TORCH=torch==2.13.0
ARG PIP_EXTRA_INDEX_URL
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "${TORCH}"

WORKDIR /opt/lsml
COPY setup.cfg setup.py pyproject.toml constraints.txt LICENSE README.md ./
COPY lsml_spark lsml_spark
COPY jobs jobs
COPY pipelines pipelines
RUN pip install --no-cache-dir -c constraints.txt ".[train]" \
    && useradd --create-home --uid 10001 lsml \
    && install --directory --owner=lsml runs

USER 10001
VOLUME /opt/lsml/runs
CMD ["torchrun", "--help"]

FROM torch AS worker

USER 0
# The patch level of the JRE is for Debian stable to decide.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir -c constraints.txt ".[spark,train]" \
    && ln -s "$(python -c 'import pyspark; print(pyspark.__path__[0])')" /opt/spark \
    && install --directory --owner=lsml /var/spark

ENV SPARK_HOME=/opt/spark \
    SPARK_WORKER_DIR=/var/spark \
    PATH=/opt/spark/bin:$PATH \
    PYSPARK_PYTHON=python

USER 10001
CMD ["torchrun", "--help"]

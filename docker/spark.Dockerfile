# Spark master, worker and driver: a JVM, no torch.
#     docker build -f docker/spark.Dockerfile -t lsml-spark .
FROM python:3.11-slim-bookworm

# The patch level of the JRE is for Debian stable to decide.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/lsml
COPY setup.cfg setup.py pyproject.toml constraints.txt LICENSE README.md ./
COPY lsml_spark lsml_spark
COPY jobs jobs
COPY pipelines pipelines
RUN pip install --no-cache-dir -c constraints.txt ".[spark,report]" \
    && ln -s "$(python -c 'import pyspark; print(pyspark.__path__[0])')" /opt/spark \
    && useradd --create-home --uid 10001 lsml \
    && install --directory --owner=lsml runs conf /var/spark

# A worker keeps a folder for each job. By default that is inside site-packages, where only root may write: the worker
# would start and every job wait for ever.
ENV SPARK_HOME=/opt/spark \
    SPARK_WORKER_DIR=/var/spark \
    PATH=/opt/spark/bin:$PATH \
    PYSPARK_PYTHON=python

USER 10001
VOLUME /opt/lsml/runs
CMD ["lsml", "--help"]

"""The Spark session of this process.

Under spark-submit, what was submitted wins: master, settings and JVM are the cluster's business. Otherwise `session`
starts a local Spark tuned for short nights on one machine. The driver's JVM runs C1 code alone under the serial
collector, which halves the CPU time of start-up and first jobs (22 → 12 s on 2 cores, Java 17); a night of hours
should set `spark.driver.extraJavaOptions` to something else.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext, cloudpickle
from pyspark.errors import PySparkRuntimeError
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from lsml_spark.core import components
from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.spark.java import ensure_java

ALWAYS = {
    "spark.app.name": "lsml",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.codegen.maxFields": "1000",  # above the default of 100 columns, Spark silently stops compiling a stage
    "spark.ui.showConsoleProgress": "false",
    # Too few slots for the training workers are an error after seconds; by default Spark waits for ten minutes.
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "2",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "5s",
}
LOCAL = {
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir(), "spark-warehouse")),  # the default is ./spark-warehouse
    "spark.ui.enabled": "false",
}
LOCAL_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
ARCHIVE = "lib/spark.jsa"  # in a virtual environment: classes kept ready for the JVM (archive.py)
QUIET = "-Xlog:disable -Xlog:all=error:stderr"  # an archive that does not fit this JVM is no news
LOG4J = Path(__file__).with_name("log4j2.properties")


def session(settings: dict[str, str] | None = None, master: str | None = None) -> SparkSession:
    """The running session, or a new one.

    Args:
        settings: Spark properties; they win over ours and lose to those given to spark-submit. On a running session
            only those take effect that Spark can change at run time.
        master: default `local[*]`; not looked at under spark-submit or when a session is running.
    Raises:
        EnvironmentProblem: no usable Java, Java died, or the master cannot be reached.
    """
    settings = settings or {}
    if SparkContext._active_spark_context is not None:
        return _start(settings)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # executors would run any `python3` of their PATH
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # set by spark-submit, which has started the JVM
        return _start(_not_submitted(settings))
    ensure_java()
    master = master or settings.get("spark.master", "local[*]")
    local = master.startswith("local")
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # neither looks up the host's own name nor warns about it
    jvm = settings.get("spark.driver.extraJavaOptions", LOCAL_JVM if local else "")
    jvm = f"-Dlog4j2.configurationFile={LOG4J.as_uri()} {_archive() if local else ''} {jvm}".strip()
    return _start(_defaults(master) | settings | {"spark.master": master, "spark.driver.extraJavaOptions": jvm})


def stop() -> None:
    """Stop the session, if there is one; the next `session` may then have another master."""
    if SparkContext._active_spark_context is not None:
        SparkSession.builder.getOrCreate().stop()


def _defaults(master: str) -> dict[str, str]:
    return ALWAYS | (LOCAL if master.startswith("local") else {})


def _not_submitted(settings: dict[str, str]) -> dict[str, str]:
    """Our defaults and the given settings, less what spark-submit was given."""
    SparkContext._ensure_initialized()
    submitted = SparkConf()
    wanted = _defaults(submitted.get("spark.master", "")) | settings
    return {key: value for key, value in wanted.items() if not submitted.contains(key)}


def _start(settings: dict[str, str]) -> SparkSession:
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):  # they print what is raised all the same
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    heard = signal.getsignal(signal.SIGINT)
    _carry_users_modules()
    try:
        return SparkSession.builder.config(conf=SparkConf(loadDefaults=False).setAll(list(settings.items()))).getOrCreate()
    except PySparkRuntimeError as error:
        home = os.environ.get("JAVA_HOME", "not set")
        raise EnvironmentProblem(f"Spark's Java did not start (JAVA_HOME is {home}): {_cause(error)}") from error
    except Py4JError as error:
        master = settings.get("spark.master", "the submitted master")
        raise EnvironmentProblem(f"Spark did not start on {master}; is it within reach? {_cause(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, heard)  # Spark has put its own there, which talks to a Java that may be gone


def _archive() -> str:
    """The JVM's options that use this environment's archive; none where there is none."""
    path = Path(sys.prefix, ARCHIVE)
    return f"-XX:SharedArchiveFile={path} {QUIET}" if path.is_file() and " " not in str(path) else ""


def _carry_users_modules() -> None:
    """Functions of modules beside the pipeline's YAML travel to the Python workers as they are, for these cannot import them."""
    for module in components.users_modules():
        if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)


def _cause(error: Exception) -> str:
    """The first line of what Java, or else Python, says."""
    return str(getattr(error, "java_exception", error)).strip().splitlines()[0]

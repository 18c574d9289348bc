"""The Spark session of this process.

Under spark-submit, what was submitted wins: master, settings and JVM are the cluster's business. Otherwise
`session` starts a local Spark tuned for short nights on one machine. The driver's JVM runs C1 code alone
under the serial collector, which halves the CPU time of start-up and first jobs (22 → 12 s on 2 cores, Java
17); a night of hours should set `spark.driver.extraJavaOptions` to something else. A local Spark listens on
loopback alone, whoever started it; what a cluster's Spark opens to whom is in docs/network.md.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext, cloudpickle
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from lsml_spark.core import components
from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.spark.java import ensure_java
from lsml_spark.spark.stderr import without_incubator_warning

ALWAYS = {
    "spark.app.name": "lsml",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    # Too few slots for the training workers are an error after seconds; by default Spark waits for ten
    # minutes.
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "2",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "5s",
    # Python workers start in the user's working folder, where a file `token.py` would be taken for Python's
    # own.
    "spark.executorEnv.PYTHONSAFEPATH": "1",
}
LOCAL = {
    "spark.sql.shuffle.partitions": "4",
    # the default is ./spark-warehouse
    "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir(), "spark-warehouse")),
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
# Who cannot show the application's secret gets no answer from its driver and executors, and reads nothing on
# the wire or on disk.
GUARDED = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.io.encryption.enabled": "true",
}
SECRET = "spark.authenticate.secret"
# C1 alone gets 48 MB, which long sessions fill
LOCAL_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
ARCHIVE = "lib/spark.jsa"  # in a virtual environment: classes kept ready for the JVM (archive.py)
QUIET = "-Xlog:disable -Xlog:all=error:stderr"  # an archive that does not fit this JVM is no news
LOG4J = Path(__file__).with_name("log4j2.properties")


def session(settings: dict[str, str] | None = None, master: str | None = None) -> SparkSession:
    """The running session, or a new one.

    Args:
        settings: Spark properties; they win over ours and lose to those given to spark-submit. On a running
            session only those take effect that Spark can change at run time.
        master: default `local[*]`; not looked at under spark-submit or when a session is running.
    Raises:
        EnvironmentProblem: no usable Java, Java died, or the master cannot be reached.
    """
    settings = settings or {}
    if SparkContext._active_spark_context is not None:
        return _start(settings)
    # see above; for Python workers of this host, which inherit it
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # executors would run any `python3` of their PATH
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # set by spark-submit, which has started the JVM
        return _start(_not_submitted(settings))
    ensure_java()
    master = master or settings.get("spark.master", "local[*]")
    local = master.startswith("local")
    if local:
        # neither looks up the host's own name nor warns about it
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    jvm = settings.get("spark.driver.extraJavaOptions", LOCAL_JVM if local else "")
    jvm = f"-Dlog4j2.configurationFile={LOG4J.as_uri()} {_archive() if local else ''} {jvm}".strip()
    properties = (
        _defaults(master, settings)
        | settings
        | {"spark.master": master, "spark.driver.extraJavaOptions": jvm}
    )
    with without_incubator_warning():
        return _start(properties)


def stop() -> None:
    """Stop the session, if there is one; the next `session` may then have another master."""
    if SparkContext._active_spark_context is not None:
        SparkSession.builder.getOrCreate().stop()


def _defaults(master: str, given: Mapping[str, str]) -> dict[str, str]:
    return ALWAYS | (LOCAL if master.startswith("local") else _guarded(master, given))


def _guarded(master: str, given: Mapping[str, str]) -> dict[str, str]:
    """Authentication and encryption, where the parts of the cluster share a secret.

    YARN and Kubernetes make one for each application and hand it on, unless the driver itself was submitted
    to the cluster or blocks lie with a service of the cluster, which both were started before. The daemons of
    a standalone cluster know theirs.
    """
    own = master == "yarn" or master.startswith("k8s://")
    beside = (
        given.get("spark.submit.deployMode") == "cluster"
        or given.get("spark.shuffle.service.enabled") == "true"
    )
    return GUARDED if SECRET in given or (own and not beside) else {}


def _not_submitted(settings: dict[str, str]) -> dict[str, str]:
    """Our defaults and the given settings, less what spark-submit was given."""
    SparkContext._ensure_initialized()
    submitted = SparkConf()
    given = settings | dict(submitted.getAll())
    _be_quiet(submitted, given)
    properties = _defaults(submitted.get("spark.master", ""), given) | settings
    return {key: value for key, value in properties.items() if not submitted.contains(key)}


def _be_quiet(submitted: SparkConf, given: Mapping[str, str]) -> None:
    """Errors alone on the screen of spark-submit, unless the user has chosen a level or a configuration of
    the log.
    """
    chosen = "spark.log.level" in given or "log4j" in given.get("spark.driver.extraJavaOptions", "")
    if chosen or Path(os.environ.get("SPARK_CONF_DIR", ""), "log4j2.properties").is_file():
        return
    java: Any = submitted._jconf
    # or else Spark puts its own configuration into the place of ours later
    java.initializeLogIfNecessary(False, True)
    jvm: Any = SparkContext._jvm
    jvm.org.apache.logging.log4j.LogManager.getContext(False).setConfigLocation(
        jvm.java.net.URI(LOG4J.as_uri())
    )


def _start(settings: dict[str, str]) -> SparkSession:
    # they print what is raised all the same
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    heard = signal.getsignal(signal.SIGINT)
    _carry_users_modules()
    try:
        if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
            # In a session of its own: Ctrl-C and `timeout` signal the whole group, and Java would tell of
            # each task that it drops.
            conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
            SparkContext._ensure_initialized(gateway=launch_gateway(conf, {"start_new_session": True}))
        # The context alone first: Spark takes SIGINT for a handler of its own, which talks to a Java that may
        # be gone.
        SparkContext.getOrCreate(SparkConf().setAll(list(settings.items())))
        _hear(heard)
        return SparkSession.builder.config(map={**settings}).getOrCreate()
    except PySparkRuntimeError as error:
        home = os.environ.get("JAVA_HOME", "not set")
        raise EnvironmentProblem(
            f"Spark's Java did not start (JAVA_HOME is {home}): {_cause(error)}"
        ) from error
    except Py4JError as error:
        master = settings.get("spark.master", "the submitted master")
        raise EnvironmentProblem(
            f"Spark did not start on {master}; is it within reach? {_cause(error)}"
        ) from error
    finally:
        _hear(heard)


def _hear(handler: Any) -> None:
    """The handler of before for SIGINT, which only the main thread may set."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)


def _archive() -> str:
    """The JVM's options that use this environment's archive; none where there is none."""
    path = Path(sys.prefix, ARCHIVE)
    return f"-XX:SharedArchiveFile={path} {QUIET}" if path.is_file() and " " not in str(path) else ""


def _carry_users_modules() -> None:
    """Functions of modules beside the pipeline's YAML travel to the Python workers as they are, for these
    cannot import them.
    """
    for module in components.users_modules():
        if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)


def _cause(error: Exception) -> str:
    """The first line of what Java, or else Python, says."""
    return str(getattr(error, "java_exception", error)).strip().splitlines()[0]

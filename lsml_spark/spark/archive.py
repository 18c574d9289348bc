"""The classes that Spark's driver loads at every start, kept ready for the JVM in one file (AppCDS).

`python -m lsml_spark.spark.archive` runs a few small jobs and writes `<virtual environment>/lib/spark.jsa`;
`session` uses it where it is there. A start to the first job then takes half the CPU time (9.2 → 4.4 s on 2
cores, Java 17). The JVM itself compares the archive with its own version and Spark's jars, and does without
it where they differ.
"""

import os
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import LsmlError
from lsml_spark.spark import session


def make() -> Path | None:
    """Write the archive anew; None where the environment's path cannot stand in a list of Java options."""
    archive = Path(sys.prefix, session.ARCHIVE)
    if " " in str(archive):
        return None
    archive.unlink(missing_ok=True)  # a JVM that uses one writes none
    partial = archive.with_suffix(f".{os.getpid()}")
    written = f"{session.LOCAL_JVM} -XX:ArchiveClassesAtExit={partial} {session.QUIET}"
    try:
        spark = session.session({"spark.driver.extraJavaOptions": written}, master="local[2]")
        process = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
        _work(spark)
        session.stop()
        process.stdin.close()  # what a driver's JVM waits for; the archive is written at its end
        process.wait()
        if not partial.is_file():
            return None
        return partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def _work(spark: SparkSession) -> None:
    """What every night asks of Spark, once: text, CSV, JSON, Parquet, aggregates, joins, windows, rows to
    Python and back.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "lines.txt")
        lines.write_text("".join(f'{i},"{i % 7}",2011-02-0{i % 9 + 1}\n' for i in range(1000)))
        text = spark.read.text(str(lines))
        record = F.from_csv("value", "a string, b string, c string", {"mode": "PERMISSIVE"})
        rows = text.select(record.alias("r")).selectExpr(
            "try_cast(r.a AS int) AS a", "r.b AS b", "try_cast(r.c AS date) AS c"
        )
        rows = rows.withColumns(
            {"h": F.xxhash64("a", "b"), "j": F.from_json(F.lit('{"x": 1}'), "x int")["x"]}
        )
        rows.write.parquet(f"{folder}/rows")
        read = spark.read.parquet(f"{folder}/rows")
        counts = read.groupBy("b").agg(
            F.count("a").alias("n"), F.min("c").alias("first"), F.approx_count_distinct("a").alias("d")
        )
        joined = read.join(F.broadcast(counts), "b").join(
            counts.withColumnRenamed("n", "m").select("b", "m"), "b"
        )
        joined.mapInArrow(lambda batches: batches, joined.schema).orderBy("h").toArrow()
        read.createOrReplaceTempView("rows")
        spark.sql(
            "SELECT a, row_number() OVER (PARTITION BY b ORDER BY a) AS i FROM rows WHERE a > 10"
        ).collect()


def main() -> int:
    try:
        archive = make()
    except LsmlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(
        f"Spark's classes are kept ready in {archive}"
        if archive
        else "Spark starts without an archive of its classes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

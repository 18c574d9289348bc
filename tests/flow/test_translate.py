"""What errors of files, disks and Java mean: never a bug of ours; what no file can cause stays one."""

import errno
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError
from lsml_spark.flow.translate import translate


def system(number, file="/runs/retail/x"):
    return OSError(number, os.strerror(number), file)


@pytest.mark.parametrize(
    "name",
    [
        "EROFS",
        "EISDIR",
        "ENOTDIR",
        "EMFILE",
        "EDQUOT",
        "EIO",
        "EACCES",
        "EPERM",
        "ENOSPC",
        "ENOENT",
        "ESTALE",
        "EBUSY",
    ],
)
def test_an_error_of_the_system_is_the_machines_and_names_the_file(name):
    number = getattr(errno, name)
    known = translate(system(number))
    assert type(known) is EnvironmentProblem
    assert number in (errno.ENOSPC, errno.EDQUOT) or str(known).startswith("/runs/retail/x: ")
    in_a_task = RuntimeError(
        f"Traceback …\n{type(system(number)).__name__}: {system(number)}\nat org.apache.spark…"
    )
    assert str(translate(in_a_task)) == str(known)


@pytest.mark.parametrize("name", ["ENAMETOOLONG", "ELOOP"])
def test_a_path_that_the_system_does_not_take_is_the_users(name):
    assert type(translate(system(getattr(errno, name)))) is ConfigError


@pytest.mark.parametrize(
    "said", ["Read-only file system", "Too many open files", "Input/output error", "Disk quota exceeded"]
)
def test_so_it_is_where_java_says_it(said):
    assert type(translate(RuntimeError(f"java.io.IOException: /tmp/x ({said})"))) is EnvironmentProblem


def test_a_file_that_spark_cannot_read_is_named_with_the_way_out_where_it_is_ours(tmp_path):
    path = tmp_path / "2011-02-01" / "quality" / "clean" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    text = f"[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file://{path}. SQLSTATE: KD001"
    assert str(translate(RuntimeError(text))).startswith(f"{path}: Spark cannot read it")
    (path.parents[1] / "manifest.json").write_text("{}")
    known = translate(RuntimeError(text))
    assert type(known) is IntegrityError
    assert (
        str(known)
        == f"{path}: damaged, it cannot be read; `lsml run … --date 2011-02-01 --from quality` makes it anew"
    )


def test_a_name_that_is_no_text_is_the_users():
    with pytest.raises(UnicodeEncodeError) as caught:
        "runs/\udcff".encode()
    assert type(translate(caught.value)) is ConfigError


def test_rubbish_for_parquet_is_damage():
    with pytest.raises(pa.ArrowException) as caught:
        pq.read_table(io.BytesIO(b"PAR1 rubbish PAR1"))
    assert type(translate(caught.value)) is IntegrityError


@pytest.mark.parametrize(
    "bug",
    [KeyError("p"), ZeroDivisionError("1/0"), TypeError("None"), pa.ArrowInvalid("Could not convert 'x'")],
)
def test_a_bug_stays_a_bug(bug):
    assert translate(bug) is None


def test_a_link_to_itself_is_the_users():
    # what `Path.resolve` raises before Python 3.13
    known = translate(RuntimeError("Symlink loop from '/a/loop'"))
    assert isinstance(known, ConfigError)
    assert "'/a/loop': a link that leads to itself" in str(known)

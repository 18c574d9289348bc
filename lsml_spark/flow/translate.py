"""What an exception that is not ours means: the machine (7), a damaged file (6), a path of the user's (2), or
a bug of lsml (None).

Errors of Spark's tasks and of its Java come as text alone, so they are known by their text.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lsml_spark.core import manifest
from lsml_spark.core.components import blamed
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError, LsmlError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
# What Java says in place of a number.
SAID = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "Read-only file system": errno.EROFS,
    "Too many open files": errno.EMFILE,
    "Input/output error": errno.EIO,
    "Stale file handle": errno.ESTALE,
    "File name too long": errno.ENAMETOOLONG,
    "Permission denied": errno.EACCES,
    "Cannot allocate memory": errno.ENOMEM,
}
OF_A_TASK = re.compile(r"\b[A-Z]\w*Error: \[Errno (\d+)\] ([^:'\"\n]+)(?:: ['\"]([^'\"\n]*)['\"])?")
UNREADABLE = re.compile(
    r"(?:reading file|footer for file|in file|is not a Parquet file)[: "
    r"]+['\"]?(?:file:)?/*([^\s'\"]+)|file:/+([^\s'\"]+)"
)
FAILED_READ = (
    "FAILED_READ_FILE",
    "CANNOT_READ_FILE_FOOTER",
    "is not a Parquet file",
    "Could not read footer",
)
NO_PARQUET = (
    "Parquet",
    "parquet",
    "thrift",
    "CRC checksum",
    "Corrupt",
    "corrupt",
    "Unexpected end of stream",
    "decompress",
)
JAVA_ENDED = EnvironmentProblem(
    "Spark's Java has ended in the middle of its work (killed, or out of memory?); "
    "raise spark.driver.memory if need be, and run the same command again to go on"
)
GONE = ("Py4JNetworkError", "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError")


def translate(error: BaseException) -> LsmlError | None:
    """The LsmlError that an exception means, or None for a bug."""
    if isinstance(error, LsmlError):
        return error
    if isinstance(error, ConnectionError) and java_is_gone(error):
        return JAVA_ENDED
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        shown = error.object.encode("utf-8", "backslashreplace").decode()
        return ConfigError(f"{shown[:200]}: a name that is no UTF-8 text; rename it")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # of `Path.resolve`
        return ConfigError(f"{error}: a link that leads to itself; remove it, or let it lead elsewhere")
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error.errno, error.filename)
    if isinstance(error, MemoryError):
        return EnvironmentProblem(
            "no memory left for this process; raise its limit, or take a smaller window"
        )
    text = str(error)
    if any(sign in text for sign in FAILED_READ):
        return _unreadable(text)
    if match := OF_A_TASK.search(text):
        return _of_the_system(int(match[1]), match[3])
    for words, number in SAID.items():
        if words in text:
            return _of_the_system(number, None)
    if type(error).__module__.startswith("pyarrow") and any(sign in text for sign in NO_PARQUET):
        return IntegrityError(
            f"a Parquet file cannot be read ({text.splitlines()[0]}); `lsml verify` says which one it is"
        )
    if java_is_gone(error):
        return JAVA_ENDED
    if message := blamed(error):
        return ConfigError(f"a class that the YAML names by `use:` fails: {message}")
    return None


def java_is_gone(error: BaseException) -> bool:
    """Whether this is what the end of Spark's Java looks like from Python."""
    if "pyspark" not in sys.modules:
        return False
    gateway = getattr(sys.modules.get("pyspark.core.context"), "SparkContext", None)
    process = getattr(getattr(gateway, "_gateway", None), "proc", None)
    if process is not None and process.poll() is not None:
        return True
    return any(type(one).__name__ in GONE for one in _chain(error) if "py4j" in _modules(one))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _modules(error: BaseException) -> str:
    """The modules that an exception went through."""
    frames, trace = [type(error).__module__], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return " ".join(frames)


def _of_the_system(number: int, file: object) -> LsmlError:
    """An error number of the kernel in words; `file` is not always known."""
    if number in NO_SPACE:
        return EnvironmentProblem(
            "no space left on the disk of the runs or of Spark's temporary files; free some and run again, "
            "nothing is lost"
        )
    where = f"{os.fsdecode(file)}: " if isinstance(file, str | bytes) else ""
    if number in (errno.EACCES, errno.EPERM):
        return EnvironmentProblem(f"{where}no permission to read or write it")
    if number in (errno.EMFILE, errno.ENFILE):
        return EnvironmentProblem(
            f"{where}too many open files; raise the limit of this shell, e.g. `ulimit -n 4096`"
        )
    if number in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
        what = (
            "a folder where a file is expected"
            if number == errno.EISDIR
            else "a file where a folder is expected"
        )
        return EnvironmentProblem(
            f"{where}{what if number in (errno.EISDIR, errno.ENOTDIR) else 'something is in the way'}; move "
            "it away"
        )
    if number in (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP, errno.EILSEQ):
        return ConfigError(f"{where}the system takes no such path: {os.strerror(number)}")
    if number == errno.ENOENT:
        return EnvironmentProblem(f"{where}it is not there any more; did something else remove it meanwhile?")
    return EnvironmentProblem(f"{where}{os.strerror(number)}")


def _unreadable(text: str) -> LsmlError:
    """A Parquet file that Spark could not read, and how it is made anew where it is one of ours."""
    match = UNREADABLE.search(text)
    if not match:
        return IntegrityError("Spark cannot read a file; `lsml verify` says which one it is")
    path = Path("/" + (match[1] or match[2]).lstrip("/").rstrip(".,;"))
    stage = path.parent.parent
    if not (stage / manifest.NAME).is_file():
        return IntegrityError(f"{path}: Spark cannot read it; is it whole?")
    return damaged(path, stage)


def damaged(path: Path, stage: Path) -> IntegrityError:
    """A file of a stage folder that is not what was written."""
    again = f"`lsml run … --date {stage.parent.name} --from {stage.name}`"
    return IntegrityError(f"{path}: damaged, it cannot be read; {again} makes it anew")

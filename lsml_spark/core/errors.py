"""Errors meant for people, each with the exit code that the README documents.

A user's mistake or the world's failure is an `LsmlError`: one line that says which file, which key, what was
found and what to do. Anything else that escapes is a bug of ours (exit code 1, traceback in the log).
"""


class LsmlError(Exception):
    """Base of all errors that a person can act on."""

    exit_code = 1


class ConfigError(LsmlError):
    """The command line, the pipeline YAML or the named input is wrong."""

    exit_code = 2


class QualityGateError(LsmlError):
    """The data of the night are not fit to train on."""

    exit_code = 3


class TrainingError(LsmlError):
    """A training worker failed."""

    exit_code = 4


class LockedError(LsmlError):
    """Another run holds the lock of this pipeline."""

    exit_code = 5


class IntegrityError(LsmlError):
    """A file is not what its manifest says."""

    exit_code = 6


class EnvironmentProblem(LsmlError):
    """The machine is in the way: no Java, no space left, cluster out of reach."""

    exit_code = 7


class NoRawDay(LsmlError):
    """The raw day is not there: a day without data, or one that has not arrived yet. Ask again later, or
    leave it out.
    """

    exit_code = 8


class Stopped(LsmlError):
    """SIGTERM asked the run to stop; the same command goes on from where it was."""

    exit_code = 143

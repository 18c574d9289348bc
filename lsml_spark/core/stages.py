"""The stages of a night, in order: the one table that flow, verify, report, jobs and the command line read.

To add a stage: a row here, a package `lsml_spark/<name>/` with `run.py` (its `Config` and `run(work,
config)`), and where it is to be submitted by itself, a file in `jobs/`; and its screen in
docs/how_it_works.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Engine = Literal["spark", "torch", "plain"]
# What `pip install 'lsml_spark[…]'` must have brought, by extra.
PACKAGES = {"spark": ("pyspark", "pandas"), "train": ("torch", "safetensors"), "report": ("jinja2", "plotly")}
TRAIN = ("train",)


@dataclass(frozen=True)
class Stage:
    """One stage. `reads`: the stages of the same night whose folders it reads; what it reads of other nights
    says flow/wiring.py.

    `lsml verify` recounts the rows of `rows_in` (tables of a stage that it reads) and of `rows_out` (its own
    tables) from the files; what neither says is not rows of tables: raw records, days of the window, counts,
    epochs, scores (flow/verify.py).
    """

    name: str
    engine: Engine
    extra: str  # a key of PACKAGES; "" where the package's core is enough
    reads: tuple[str, ...]
    does: str  # in a few words, after the name of the stage
    rows_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows_out: tuple[str, ...] | Literal["all"] = ()  # all: whatever tables there are
    history: int = 0  # good days before the night that it may look at
    optional: bool = False  # whether a night is whole without a folder of it


TABLE = (
    Stage("quality", "spark", "spark", (), "checks the raw day, sets broken rows "
                                           "aside", {}, ("clean",), history=28),
    Stage("prepare", "spark", "spark", (), "makes samples of the window’s clean "
                                           "days", {}, ("train", "test", "unlabelled")),
    Stage("zipf", "spark", "spark", ("prepare",), "counts keys, describes their "
                                                  "law", {"prepare": TRAIN}, optional=True),
    Stage("select", "spark", "spark", ("prepare", "zipf"), "keeps the rows worth training "
                                                           "on", {"prepare": TRAIN}, TRAIN),
    Stage("augment", "spark", "spark", ("select",), "varies rows, labels "
                                                    "kept", {"select": TRAIN}, TRAIN, optional=True),
    Stage("features", "spark", "spark", ("augment", "prepare"), "turns columns into numbers",
          {"augment": TRAIN, "prepare": ("test",)}, ("train", "test"), optional=True),
    Stage("shard", "spark", "spark", ("features",), "writes equal shards in hash order",
          {"features": ("train", "test")}, "all", optional=True),
    Stage("train", "torch", "train", ("shard", "features", "select"), "learns, each row once an "
                                                                      "epoch", {"shard": TRAIN}),
    Stage("evaluate", "torch", "train", ("shard", "prepare", "zipf", "train"), "scores the model and the "
                                                                               "baselines",
          {"shard": ("test",)}),
    Stage("promote", "plain", "", ("evaluate", "train"), "lets the better model stand"),
)  # fmt: skip
REPORT = Stage(
    "report",
    "plain",
    "report",
    tuple(stage.name for stage in TABLE),
    "writes the morning's pages",
    history=90,
)
STAGES = (*(stage.name for stage in TABLE), REPORT.name)
BY_NAME = {stage.name: stage for stage in (*TABLE, REPORT)}
SPARK_STAGES = tuple(stage.name for stage in TABLE if stage.engine == "spark")


def until(last: str) -> tuple[str, ...]:
    """The stages up to and with `last`."""
    return STAGES[: STAGES.index(last) + 1]


def after(stage: str) -> tuple[str, ...]:
    """The stages that follow one."""
    return STAGES[STAGES.index(stage) + 1 :]


def between(first: str, last: str) -> tuple[str, ...]:
    """The stages from `first` to `last`, both with them."""
    return STAGES[STAGES.index(first) : STAGES.index(last) + 1]

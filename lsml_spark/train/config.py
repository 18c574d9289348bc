"""The `train:` section of a pipeline. Imports no torch, so any host can check it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lsml_spark.core.config import Strict, component
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.order.plan import plan
from lsml_spark.models.model import Model
from lsml_spark.tasks.classify import Classify
from lsml_spark.tasks.task import PACKAGE, Task
from lsml_spark.train.optimizers.optimizer import Optimizer
from lsml_spark.train.optimizers.sgd import Sgd
from lsml_spark.train.schedule import RateScaling, Schedule
from lsml_spark.train.stop import Duration, Stop


class Checkpointing(Strict):
    """A checkpoint at the end of every epoch, and within one by updates or time; the newest `keep` stay."""

    steps: int | None = Field(None, ge=1)  # updates from one to the next
    seconds: Duration = 60.0
    keep: int = Field(2, ge=1)


class Hook(Strict):
    """In how many bytes gradients travel: as they are, as bf16 or fp16, or as matrices of low rank (PowerSGD)."""

    use: Literal["none", "bf16", "fp16", "powersgd"] = "none"
    columns: int = Field(16, ge=1)  # powersgd: the rank of a gradient
    start: int = Field(10, ge=2)  # powersgd: updates that are exact before it begins


def _by_name(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


class Parallel(Strict):
    """A network cut over ranks: `shard` of them hold its parameters together (FSDP2), `tensor` compute its wide layers together
    (DTensor); `data`, which is what the other numbers leave of `workers`, such groups read different lanes."""

    data: int | None = Field(None, ge=1)
    shard: int = Field(1, ge=1)
    tensor: int = Field(1, ge=1)


class Config(Strict):
    """How a night trains. The weights depend on everything here except `workers`, `launcher`, `reader`, `checkpoint` and time limits."""

    model: component(Model, "lsml_spark.models")  # type: ignore[valid-type]
    task: component(Task, PACKAGE) = Classify(use="classify")  # type: ignore[valid-type]  # the pipeline's section `task:`
    epochs: int = Field(4, ge=1)
    stop: Stop = Stop()  # before the last epoch
    batch: int = Field(512, ge=1)  # rows of a step, all ranks together
    accumulate: int = Field(1, ge=1)  # steps of one update: their gradients are summed
    lanes: int = Field(8, ge=1)  # parts of a batch that ranks share out, each in an order of its own; a power of two
    lane_sums: bool = False  # lanes one by one, summed in a fixed order: the same bits on 1, 2, 4 … ranks; slower for small batches
    optimizer: component(Optimizer, "lsml_spark.train.optimizers") = Sgd(use="sgd")  # type: ignore[valid-type]
    schedule: Schedule = Schedule()
    lr_scaling: RateScaling = RateScaling()
    l1: float = Field(0.0, ge=0.0)
    l2: float = Field(0.0, ge=0.0)
    clip: float | None = Field(1.0, gt=0.0)  # longest gradient, as a Euclidean norm; null for none
    sync: Literal["allreduce", "local", "async"] = "allreduce"  # local: ranks step alone and average; async: a parameter server
    average_every: int = Field(8, ge=1)  # local: updates from one average to the next
    parallel: Parallel = Parallel()
    hook: Annotated[Hook, BeforeValidator(_by_name)] = Hook()
    sparse: Literal["auto"] | bool = "auto"  # gradients of tables as the rows that a batch looked up; auto: where they are large
    weights: bool = True  # weigh rows by their importance weight; without, all rows count alike
    smoothing: float = Field(0.5, gt=0.0)  # rows added to every label's count for the prior
    warm_start: bool = True  # from the champion's weights where there is one
    dtype: Literal["float32", "float64"] = "float32"  # of the parameters
    precision: Literal["full", "bf16", "fp16"] = "full"  # of the forward and backward pass; full: that of the parameters
    workers: int = Field(2, ge=1)  # ranks; at most `lanes`
    launcher: Literal["auto", "local", "spark", "torchrun"] = "auto"
    reader: Literal["lsml", "petastorm"] = "lsml"  # who decodes the shards; the order is ours
    on_bad_shard: Literal["fail", "skip"] = "fail"  # skip: train without row groups that cannot be read, and say so in the ledger
    checkpoint: Checkpointing = Checkpointing()
    restarts: int = Field(3, ge=0)  # of all ranks, after one of them has died
    stall: float = Field(20.0, gt=0.0)  # seconds without progress of a rank that end the attempt
    timeout: float = Field(300.0, gt=0.0)  # seconds that ranks wait for each other before they call it a failure

    @model_serializer(mode="wrap")
    def _without_the_usual_task(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A night that was made before there were tasks stays up to date."""
        told: dict[str, Any] = plain(self)
        if self.task == Classify(use="classify"):
            told.pop("task", None)
        return told

    @property
    def peak_rate(self) -> float:
        """Of the learning rate, once it is scaled to the rows of an update."""
        return self.optimizer.lr * self.lr_scaling.factor(self.batch * self.accumulate)

    @model_validator(mode="after")
    def _ranks_share_the_batch(self) -> "Config":
        self._ways_go_together()
        if self.lanes & (self.lanes - 1):
            raise ValueError(f"lanes: {self.lanes} is not a power of two, so its sums would depend on the number of ranks")
        try:
            plan([], seed=0, epoch=0, world=self.workers, batch=self.batch, lanes=self.lanes)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("train.")) from error
        return self

    def _ways_go_together(self) -> None:
        cut = self.parallel
        together = cut.shard * cut.tensor
        if self.workers % together or cut.data not in (None, self.workers // together):
            asked = f"data {cut.data or 1} × shard {cut.shard} × tensor {cut.tensor}"
            raise ValueError(f"parallel: {asked} do not make workers: {self.workers}")
        if together > 1 and (self.sync != "allreduce" or self.hook.use != "none" or self.precision == "fp16" or self.l1):
            raise ValueError("parallel: a network cut over ranks takes sync: allreduce, hook: none, l1: 0 and precision: full or bf16")
        if self.sync != "allreduce" and (self.hook.use != "none" or self.lane_sums):
            raise ValueError(f"sync: {self.sync} is not exact: it takes hook: none and lane_sums: false")
        plain = self.stop == Stop() and self.accumulate == 1 and self.precision != "fp16" and not self.l1 and self.sparse is not True
        if self.sync == "async" and (self.workers < 2 or not plain):
            raise ValueError(
                "sync: async takes two workers at least, no stop, accumulate: 1, l1: 0, no sparse tables, precision: full or bf16"
            )

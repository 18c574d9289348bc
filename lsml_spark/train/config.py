"""The `train:` section of a pipeline. Imports no torch, so any host can check it."""

from collections.abc import Mapping
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
from lsml_spark.train.schedule import Schedule
from lsml_spark.train.stop import Duration, Stop

MOVED = {  # keys that once lay flat in `train:`
    "dtype": "precision.parameters",
    "precision": "precision.compute",
    "sync": "exchange.use",
    "average_every": "exchange.average_every",
    "hook": "exchange.hook",
    "sparse": "exchange.sparse",
    "lr_scaling": "schedule.scaling",
    "weights": "data.weights",
    "smoothing": "data.prior_rows",
    "reader": "data.reader",
    "on_bad_shard": "data.on_bad_shard",
    "checkpoint": "survival.checkpoint",
    "restarts": "survival.restarts",
    "stall": "survival.stall",
    "timeout": "survival.timeout",
}


def _by_name(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


class Data(Strict):
    """How the shards are read, and what a row counts for."""

    weights: bool = True  # weigh rows by their importance weight; without, all rows count alike
    prior_rows: float = Field(0.5, gt=0.0)  # rows added to every label's count for the prior
    reader: Literal["lsml", "petastorm"] = "lsml"  # who decodes the shards; the order is ours
    # skip: train without row groups that cannot be read; the ledger counts them
    on_bad_shard: Literal["fail", "skip"] = "fail"


class Precision(Strict):
    """Of the numbers."""

    parameters: Literal["float32", "float64"] = "float32"  # of parameters and optimiser
    # of the forward and backward pass (autocast); full: that of the parameters
    compute: Literal["full", "bf16", "fp16"] = "full"


class Hook(Strict):
    """In how many bytes gradients travel: as they are, as bf16 or fp16, or as matrices of low rank
    (PowerSGD).
    """

    use: Literal["none", "bf16", "fp16", "powersgd"] = "none"
    columns: int = Field(16, ge=1)  # powersgd: the rank of a gradient
    start: int = Field(10, ge=2)  # powersgd: updates that are exact before it begins


class Exchange(Strict):
    """How ranks agree on the weights: summed gradients every update; `local`: ranks step alone and average;
    `async`: a parameter server."""

    use: Literal["allreduce", "local", "async"] = "allreduce"
    average_every: int = Field(8, ge=1)  # local: updates from one average to the next
    hook: Annotated[Hook, BeforeValidator(_by_name)] = Hook()
    # gradients of tables as the rows that a batch looked up; auto: where they are large
    sparse: Literal["auto"] | bool = "auto"


class Parallel(Strict):
    """A network cut over ranks: `shard` of them hold its parameters together (FSDP2), `tensor` compute its
    wide layers together (DTensor); `data`, which is what the other numbers leave of `workers`, such groups
    read different lanes."""

    data: int | None = Field(None, ge=1)
    shard: int = Field(1, ge=1)
    tensor: int = Field(1, ge=1)


class Checkpointing(Strict):
    """A checkpoint at the end of every epoch, and within one by updates or time; the newest `keep` stay."""

    steps: int | None = Field(None, ge=1)  # updates from one to the next
    seconds: Duration = 60.0
    keep: int = Field(2, ge=1)


class Survival(Strict):
    """What becomes of a training whose ranks die, hang or are killed. The weights do not depend on it."""

    checkpoint: Checkpointing = Checkpointing()
    restarts: int = Field(3, ge=0)  # of all ranks, after one of them has died
    stall: float = Field(20.0, gt=0.0)  # seconds without progress of a rank that end the attempt
    # seconds that ranks wait for each other before they call it a failure
    timeout: float = Field(300.0, gt=0.0)


def _epochs(value: Any) -> Any:
    """`2`, or as people say it `2 epochs`."""
    words = value.split() if isinstance(value, str) else []
    return (
        int(words[0])
        if len(words) == 2 and words[0].isdecimal() and words[1] in ("epoch", "epochs")
        else value
    )


class Layer(Strict):
    """Of parameters whose name fits a pattern such as `inputs.*`."""

    rate: float = Field(1.0, ge=0.0)  # what the learning rate is multiplied with
    # epochs from the first one in which they do not move
    freeze: Annotated[int, BeforeValidator(_epochs), Field(ge=0)] = 0


class From(Strict):
    """Weights to begin with where there is no champion: of one of these. Paths are those of the folder in
    which the run begins.
    """

    # a train folder of ours: by value of its vocabularies where the architecture is the same, else by name
    folder: str | None = None
    pipeline: str | None = None  # its train folder of `date`, below the same root
    date: str | None = None
    file: str | None = None  # somebody else's .safetensors: by name
    names: dict[str, str] = {}  # names of this network → names in there, one `*` each at most

    @model_validator(mode="after")
    def _is_one_place(self) -> "From":
        places = [self.folder, self.file, self.pipeline]
        if sum(place is not None for place in places) != 1 or (self.pipeline is None) != (self.date is None):
            raise ValueError("say one of folder, file, or pipeline and date")
        if odd := [
            pair
            for pair in self.names.items()
            if pair[0].count("*") > 1 or pair[0].count("*") < pair[1].count("*")
        ]:
            raise ValueError(
                f"names: '{odd[0][0]}: {odd[0][1]}' has more than one `*`, or one that stands for nothing"
            )
        return self


class Config(Strict):
    """How a night trains. The weights depend on everything here except `workers`, `launcher`, `data.reader`
    and `survival`.
    """

    model: component(Model, "lsml_spark.models")  # type: ignore[valid-type]
    # the pipeline's section `task:`
    task: component(Task, PACKAGE) = Classify(use="classify")  # type: ignore[valid-type]
    epochs: int = Field(4, ge=1)
    stop: Stop = Stop()  # before the last epoch
    batch: int = Field(512, ge=1)  # rows of a step, all ranks together
    accumulate: int = Field(1, ge=1)  # steps of one update: their gradients are summed
    # parts of a batch that ranks share out, each in an order of its own; a power of two
    lanes: int = Field(8, ge=1)
    # lanes one by one, summed in a fixed order: the same bits on 1, 2, 4 … ranks; slower for small batches
    lane_sums: bool = False
    optimizer: component(Optimizer, "lsml_spark.train.optimizers") = Sgd(use="sgd")  # type: ignore[valid-type]
    schedule: Schedule = Schedule()
    l1: float = Field(0.0, ge=0.0)
    l2: float = Field(0.0, ge=0.0)
    clip: float | None = Field(1.0, gt=0.0)  # longest gradient, as a Euclidean norm; null for none
    # written `from`: weights of another pipeline, or of somebody else's, to begin with
    from_: From | None = None
    layers: dict[str, Layer] = {}  # rates of their own for parameters by name, the first pattern that fits
    warm_start: bool = True  # from the champion's weights where there is one
    workers: int = Field(2, ge=1)  # ranks; at most `lanes`
    launcher: Literal["auto", "local", "spark", "torchrun"] = "auto"
    data: Data = Data()
    precision: Precision = Precision()
    exchange: Exchange = Exchange()
    parallel: Parallel = Parallel()
    survival: Survival = Survival()

    @model_validator(mode="before")
    @classmethod
    def _refuse_moved_keys(cls, values: Any) -> Any:
        for key in values if isinstance(values, Mapping) else ():
            if key in MOVED and not (key in cls.model_fields and isinstance(values[key], Mapping | Strict)):
                raise ConfigError(f"train.{key} is now train.{MOVED[key]}")
        # `from` is a word of Python's.
        return (
            {"from_" if key == "from" else key: value for key, value in values.items()}
            if isinstance(values, Mapping)
            else values
        )

    @model_serializer(mode="wrap")
    def _without_the_usual_task(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A night that was made before there were tasks stays up to date."""
        fields: dict[str, Any] = plain(self)
        if self.task == Classify(use="classify"):
            fields.pop("task", None)
        origin = fields.pop("from_")
        return {key: value for key, value in fields.items() if key != "layers" or value} | (
            {"from": origin} if origin else {}
        )

    @property
    def by_lane(self) -> bool:
        """Whether lanes are computed one by one: asked for, or because pairs of rows within a lane are what
        is learned.
        """
        return self.lane_sums or (self.task.grouped_by is not None and self.exchange.use == "allreduce")

    @property
    def peak_rate(self) -> float:
        """Of the learning rate, once it is scaled to the rows of an update."""
        return self.optimizer.lr * self.schedule.scaling.factor(self.batch * self.accumulate)

    @model_validator(mode="after")
    def _ranks_share_the_batch(self) -> "Config":
        self._ways_go_together()
        if self.lanes & (self.lanes - 1):
            raise ValueError(
                f"lanes: {self.lanes} is not a power of two, so its sums would depend on the number of ranks"
            )
        try:
            plan([], seed=0, epoch=0, world=self.workers, batch=self.batch, lanes=self.lanes)
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("train.")) from error
        return self

    def _ways_go_together(self) -> None:
        cut, way = self.parallel, self.exchange
        together = cut.shard * cut.tensor
        if self.workers % together or cut.data not in (None, self.workers // together):
            product = f"data {cut.data or 1} × shard {cut.shard} × tensor {cut.tensor}"
            raise ValueError(f"parallel: {product} do not make workers: {self.workers}")
        exact = way.use == "allreduce" and way.hook.use == "none"
        if together > 1 and (not exact or self.precision.compute == "fp16" or self.l1 or self.layers):
            raise ValueError(
                "parallel: a network cut over ranks takes exchange.use: allreduce, exchange.hook: none, l1: "
                "0, no layers and "
                "precision.compute: full or bf16"
            )
        if way.use != "allreduce" and (way.hook.use != "none" or self.lane_sums):
            raise ValueError(
                f"exchange.use: {way.use} is not exact: it takes exchange.hook: none and lane_sums: false"
            )
        plain = (
            self.stop == Stop() and self.accumulate == 1 and self.precision.compute != "fp16" and not self.l1
        )
        if way.use == "async" and (self.workers < 2 or not plain or way.sparse is True or self.layers):
            raise ValueError(
                "exchange.use: async takes two workers at least, no stop, accumulate: 1, l1: 0, no sparse "
                "tables, no layers, "
                "precision.compute: full or bf16"
            )

"""What a rank begins with: its spec, unpacked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsml_spark.core import seeds
from lsml_spark.data.order.plan import Plan, Shuffle, plan
from lsml_spark.data.read import Shards
from lsml_spark.models.network import Network
from lsml_spark.train.config import Config
from lsml_spark.train.exchange.world import World
from lsml_spark.train.spec import Spec


@dataclass(frozen=True)
class Start:
    """`network` is on the rank's device; `champion`: the date of the model whose weights it has, None where
    they are fresh.
    """

    spec: Spec
    world: World
    network: Network
    encoders: Mapping[str, Any]
    shards: Shards
    champion: str | None = None

    @property
    def config(self) -> Config:
        return self.spec.config

    def plan(self, epoch: int, readers: int) -> Plan:
        """Of an epoch, for as many that read different lanes."""
        seed, batch, lanes = seeds.derive(self.spec.seed, "order"), self.config.batch, self.config.lanes
        shuffle: Shuffle = "buffer" if self.config.task.grouped_by is None else "groups"
        return plan(
            self.shards.rows_G,
            seed=seed,
            epoch=epoch,
            world=readers,
            batch=batch,
            lanes=lanes,
            rule=self.spec.rule,
            shuffle=shuffle,
        )

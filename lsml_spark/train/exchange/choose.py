"""The exchange that `train.exchange` and `train.parallel` ask for."""

from lsml_spark.models.network import Network
from lsml_spark.train.config import Config
from lsml_spark.train.exchange import hooks, sparse
from lsml_spark.train.exchange.exchange import Exchange, Mark, unmarked
from lsml_spark.train.exchange.lanes import LaneParallel
from lsml_spark.train.exchange.world import World


def build(config: Config, network: Network, world: World, seed: int, mark: Mark = unmarked) -> Exchange:
    """The exchange that the config asks for. `seed`: of what it draws."""
    cut, way = config.parallel, config.exchange
    if cut.shard * cut.tensor > 1:
        from lsml_spark.train.exchange.sharded import Sharded  # a second of imports

        return Sharded(
            network,
            world,
            data=world.size // (cut.shard * cut.tensor),
            shard=cut.shard,
            tensor=cut.tensor,
            mark=mark,
        )
    if way.use == "local":
        from lsml_spark.train.exchange.local_sgd import LocalSgd

        return LocalSgd(network, world, way.average_every, mark)
    sparse.choose(network, way.sparse, config.optimizer, config.l2, config.batch * config.accumulate)
    hook, compress = way.hook, None
    if world.size > 1:
        compress = hooks.build(hook.use, network, seed, columns=hook.columns, start=hook.start)
    return LaneParallel(network, world, compress, mark)

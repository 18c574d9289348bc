"""Compressed gradient exchange: torch's DDP communication hooks, for gradients that are sums and jobs that
are killed.

torch's hooks return the mean over ranks of gradients that are means on each; here both are sums, so results
are multiplied back. None is exact: bf16 and fp16 round every rank's gradient and the sum, PowerSGD (Vogels et
al. 2019) sends matrices of low rank and adds what it left out to the next update. Results depend on the
number of ranks and, from three ranks on, in the last bits on DDP's layout of buckets, which another process
begins anew.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.futures import Future

from lsml_spark.core import seeds
from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError

EPSILON = 1e-8  # added to the norms of PowerSGD's columns, so that a gradient of zeros does not become 0 / 0
SAVING = 2  # P and Q together must be smaller than their matrix by this factor, or it is sent as it is


Shape = tuple[int, int, int]  # of a matrix: rows, width, columns of its Q
CASTS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Compressor(ABC):
    """The body of a DDP communication hook: call `begin` before an update, then the object with each
    bucket.
    """

    def __init__(self, group: dist.ProcessGroup | None):
        self.group = group or dist.distributed_c10d._get_default_group()
        self.rank, self.size = dist.get_rank(self.group), dist.get_world_size(self.group)
        self.rows = 1

    def begin(self, rows: int) -> None:
        """Before the backward passes of an update: the rows of its lanes on all ranks together; the same
        number on each.

        Gradients travel divided by it. As sums over thousands of rows they pass 65504, where fp16 ends, and
        what PowerSGD left out of a full batch would weigh too much in a short one.
        """
        self.rows = max(rows, 1)

    def __call__(self, bucket: dist.GradBucket) -> Future[Tensor]:
        """The sum over ranks of a bucket's gradients, in the bucket's own memory. Infinite on all ranks where
        fp16 overflows.
        """
        bucket.buffer().div_(self.rows)
        times = self.size * self.rows
        return self.mean(bucket).then(lambda done: done.value().mul_(times))

    @abstractmethod
    def mean(self, bucket: dist.GradBucket) -> Future[Tensor]:
        """torch's hook: the mean over ranks."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs beside weights and optimiser. Names that hold this rank's number are its
        own; all others are the same on every rank."""
        return {}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027 — most have none
        """Go on from the `state` of this rank, or from those of all ranks where their number has changed."""


class Cast(Compressor):
    """bf16 or fp16 on the wire. torch casts before it divides by the number of ranks."""

    def __init__(self, group: dist.ProcessGroup | None, dtype: torch.dtype):
        super().__init__(group)
        self.hook = (
            default_hooks.bf16_compress_hook if dtype == torch.bfloat16 else default_hooks.fp16_compress_hook
        )

    def mean(self, bucket: dist.GradBucket) -> Future[Tensor]:
        return self.hook(self.group, bucket)


class PowerSgd(Compressor):
    """A weight's gradient as P Qᵀ with `columns` columns, by one power iteration from the Q of the update
    before.

    The first `start` updates are plain. torch keeps errors and Qs by bucket, and DDP lays its buckets out
    anew after a process's first update, so a resumed run would find them in the wrong places; here they
    belong to parameters, and are put together for each bucket. The first Q is a function of seed and
    parameter; it also replaces columns that have become zero, which otherwise stay so for ever. Vectors and
    small matrices are summed as they are.
    """

    def __init__(
        self, group: dist.ProcessGroup | None, network: nn.Module, *, columns: int, start: int, seed: int
    ):
        super().__init__(group)
        self.names = {id(parameter): name for name, parameter in network.named_parameters()}
        self.columns, self.seed = columns, seed
        self.torch = powerSGD_hook.PowerSGDState(
            self.group, columns, start, SAVING, orthogonalization_epsilon=EPSILON
        )
        self.layout: dict[int, dict[str, Tensor]] = {}  # bucket → its parameters, in its order
        self.running: set[int] = set()  # buckets of this update
        self.errors: dict[str, Tensor] = {}  # of parameters that are in no bucket of `layout`
        self.qs: dict[str, Tensor] = {}  # (width, columns)
        self.first: dict[str, Tensor] = {}  # at the start

    def begin(self, rows: int) -> None:
        super().begin(rows)
        self.running.clear()

    def mean(self, bucket: dist.GradBucket) -> Future[Tensor]:
        if self.torch.iter >= self.torch.start_powerSGD_iter:
            self._place(bucket)
        done = powerSGD_hook.powerSGD_hook(self.torch, bucket)
        if dist.get_backend(self.group) == "gloo":
            # torch starts the second and third exchange of a bucket from gloo's threads: with two buckets
            # under way, ranks would start them in different orders and sum what does not belong together.
            done.wait()
        return done

    def state(self) -> dict[str, Tensor]:
        """`updates` and `ranks` (); by parameter's name: `q.NAME`, and `error.RANK.NAME`, what this rank has
        not sent yet.
        """
        self.running.clear()
        self._unload()
        state = {"updates": torch.tensor(self.torch.iter), "ranks": torch.tensor(self.size)}
        state |= {f"q.{name}": q.clone() for name, q in self.qs.items()}
        return state | {f"error.{self.rank}.{name}": error.clone() for name, error in self.errors.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """IntegrityError where errors are missing. On another number of ranks the first one takes over what
        all had not sent.
        """
        ranks, owners = int(tensors["ranks"]), [self.rank]
        if ranks != self.size:
            owners = list(range(ranks)) if self.rank == 0 else []
        self.running.clear()
        self._unload()
        self.qs = {name.removeprefix("q."): q.clone() for name, q in tensors.items() if name.startswith("q.")}
        self.errors = {}
        for owner in owners:
            mine = {
                name.split(".", 2)[2]: error
                for name, error in tensors.items()
                if name.startswith(f"error.{owner}.")
            }
            if not mine and self.qs:
                raise IntegrityError(
                    f"the checkpoint of {ranks} ranks lacks what PowerSGD on rank {owner} had not sent yet"
                )
            self.errors = {
                name: self.errors[name] + error if self.errors else error.clone()
                for name, error in mine.items()
            }
        self.torch.iter = int(tensors["updates"])

    def _place(self, bucket: dist.GradBucket) -> None:
        """Give torch's state for this bucket the errors and Qs of its parameters."""
        index, buffer = bucket.index(), bucket.buffer()
        parameters = {self.names[id(parameter)]: parameter for parameter in bucket.parameters()}
        matrices = _matrices(parameters, self.columns)
        if list(parameters) != list(self.layout.get(index, ())):
            self._unload()
            errors = [
                self.errors.pop(name, torch.zeros(parameters[name].numel())).flatten().to(buffer)
                for name in parameters
            ]
            qs = [
                self.qs.pop(name, self._first(name, *shape)).flatten().to(buffer)
                for name, shape in matrices.items()
            ]
            self.torch.error_dict[index] = torch.cat(errors)
            self.torch.q_memory_dict[index] = torch.cat(qs) if qs else buffer.new_empty(0)
            self.torch.p_memory_dict[index] = buffer.new_empty(
                sum(rows * columns for rows, _, columns in matrices.values())
            )
            self.layout[index] = parameters
        self.running.add(index)
        for (name, shape), q in zip(matrices.items(), self._split_qs(index, matrices), strict=True):
            alive = torch.linalg.vector_norm(q, dim=0) > EPSILON
            q.copy_(torch.where(alive, q, self._first(name, *shape).to(q)))

    def _unload(self) -> None:
        """Take back the errors and Qs of all buckets but those of the update that is under way."""
        for index in self.layout.keys() - self.running:
            entry = self.layout.pop(index)
            matrices = _matrices(entry, self.columns)
            sizes = [parameter.numel() for parameter in entry.values()]
            self.qs |= dict(zip(matrices, self._split_qs(index, matrices), strict=True))
            errors = self.torch.error_dict.pop(index).split(sizes)
            self.errors |= {
                name: part.view(entry[name].shape) for name, part in zip(entry, errors, strict=True)
            }
            del self.torch.q_memory_dict[index], self.torch.p_memory_dict[index]

    def _split_qs(self, index: int, matrices: Mapping[str, Shape]) -> list[Tensor]:
        shapes = [(width, columns) for _, width, columns in matrices.values()]
        parts = self.torch.q_memory_dict[index].split([width * columns for width, columns in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def _first(self, name: str, _: int, width: int, columns: int) -> Tensor:
        if name not in self.first:
            generator = torch.Generator().manual_seed(seeds.derive(self.seed, "powersgd", name))
            self.first[name] = torch.randn(width, columns, dtype=torch.float64, generator=generator)
        return self.first[name]


def _matrices(parameters: Mapping[str, Tensor], columns: int) -> dict[str, Shape]:
    """The parameters that torch compresses, in the order of its Qs: equal shapes together, in order of
    appearance.
    """
    by_shape: dict[tuple[int, int], list[tuple[str, Shape]]] = {}
    for name, parameter in parameters.items():
        rows = parameter.shape[0] if parameter.dim() else 1
        width = parameter.numel() // max(rows, 1)
        fewest = min(rows, width, columns)
        if (rows + width) * fewest * SAVING < rows * width:
            by_shape.setdefault((rows, width), []).append((name, (rows, width, fewest)))
    return dict(matrix for alike in by_shape.values() for matrix in alike)


def build(
    name: str,
    network: nn.Module,
    seed: int,
    *,
    columns: int = 16,
    start: int = 10,
    group: dist.ProcessGroup | None = None,
) -> Compressor | None:
    """The compressor of `train.exchange.hook`, on ranks that have joined; None for `none`. `columns`, `start`
    (2 or more) and `seed` are PowerSGD's; `group`: the ranks that share an update, all of them by default.
    ConfigError for any other name."""
    if name == "none":
        return None
    if name in CASTS:
        return Cast(group, CASTS[name])
    if name == "powersgd":
        return PowerSgd(group, network, columns=columns, start=start, seed=seed)
    raise ConfigError(
        f"train.exchange.hook: there is no hook '{name}'{did_you_mean(name, ['none', *CASTS, 'powersgd'])}"
    )

"""One rank: `python -m lsml_spark.train.worker SPEC.json`, a process that does not know who launched it.

RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT come from the environment; without RANK it trains
alone. Rank 0 writes the model; every rank writes its result file. Exit code 0; 4 for an error that a retry
cannot mend (one line on standard error, its type in the result file); 143 where SIGTERM asked to stop and a
checkpoint is written; 1 for anything else, such as a peer that died.
"""

import os
import platform
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lsml_spark.core import seeds
from lsml_spark.core.config import canonical
from lsml_spark.core.errors import ConfigError, IntegrityError, LsmlError, Stopped, TrainingError
from lsml_spark.core.process import PARENT, PROGRESS, RETRY, die_with_parent, leave
from lsml_spark.data.read import GROUP, Shards
from lsml_spark.models import saved
from lsml_spark.models.network import Network, transplant
from lsml_spark.models.pretrained import adopt
from lsml_spark.models.pretrained import read as read_weights
from lsml_spark.train import spec
from lsml_spark.train.books import metrics
from lsml_spark.train.exchange.world import LostPeers, World, joined, own_rank
from lsml_spark.train.loop import Training, curve_of
from lsml_spark.train.parameter_server import fit_async
from lsml_spark.train.spec import Spec
from lsml_spark.train.start import Start
from lsml_spark.train.survival import results
from lsml_spark.train.survival.full_state import network_tensors
from lsml_spark.train.survival.heartbeat import PHASES
from lsml_spark.train.survival.watch import Watch, blame, stoppable, where
from lsml_spark.transforms.encode import read_encoders

# seconds that a thread which reads may keep the interpreter from the step; Python's 5 ms are a whole small
# step
SWITCH = 0.0005


def main(arguments: list[str]) -> int:
    """The process's exit code."""
    if len(arguments) != 1:
        print("usage: python -m lsml_spark.train.worker SPEC.json", file=sys.stderr)
        return ConfigError.exit_code
    die_with_parent()
    try:
        train(Path(arguments[0]))
    except LsmlError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        if isinstance(error, Stopped):
            return Stopped.exit_code
        return RETRY if isinstance(error, LostPeers) else TrainingError.exit_code
    except Exception:
        traceback.print_exc()
        return RETRY
    return 0


def train(path: Path | None, timeout: float | None = None, stall_code: int = RETRY) -> None:
    """Be one rank of the world that the environment describes. Rank 0 knows the spec's path; the others may
    pass None.

    LsmlError (after it is in the rank's result file) where training fails, Stopped after SIGTERM.
    `stall_code`: the exit code of this process where its watch ends it.
    """
    known = spec.read(path) if path else None
    rank = own_rank()
    with stoppable(), ExitStack() as life:
        if known:
            results.discard(known.scratch, rank)
        try:
            with joined(timeout or (known.config.survival.timeout if known else 1800.0)) as world:
                leader = world.gather(str(path or ""))[0]
                if not leader:
                    return  # the first rank found nothing to do
                known = known or spec.read(Path(leader))
                watch = life.enter_context(_watched(known, world, stall_code))
                results.discard(known.scratch, rank)
                _train(known, world, watch)
                watch.at("all-reduce")
                world.gather("done")  # nobody believes in the end before all have written their results
                watch.at("done")
        except Exception as error:
            if not known:
                raise
            report = _told(error, known.scratch, rank)
            results.write(known.scratch, rank, {"error": report})
            if isinstance(error, LostPeers | MemoryError | torch.OutOfMemoryError) or _allocation(error):
                raise (LostPeers if isinstance(error, LostPeers) else TrainingError)(
                    report["message"]
                ) from error
            raise


def _watched(job: Spec, world: World, code: int) -> Watch:
    hosts = set(world.gather(platform.node()))
    return Watch(
        job.scratch,
        world.rank,
        job.config.survival.stall,
        lambda line: print(f"{PROGRESS}{line}", flush=True),
        code,
        len(hosts) > 1,
    )


def _told(error: Exception, scratch: Path, rank: int) -> dict[str, Any]:
    """An error as the rank's result tells it, with who is to blame."""
    kind, message = "TrainingError", str(error)
    if isinstance(error, LostPeers):
        culprit = blame(scratch, rank)
        message = f"rank {rank} lost its peers: {culprit}" if culprit else message
    elif isinstance(error, LsmlError):
        kind = type(error).__name__
    elif isinstance(error, MemoryError | torch.OutOfMemoryError) or _allocation(error):
        first = (message or type(error).__name__).splitlines()[0]
        message = (
            f"{where(scratch, rank)} ran out of memory: {first}; lower train.batch, or raise "
            "train.lanes or train.accumulate"
        )
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = (
            f"{where(scratch, rank)} failed: {type(error).__name__}: {message} ({frame.filename}, "
            f"line {frame.lineno})"
        )
    return {"type": kind, "message": message, "lost_peers": isinstance(error, LostPeers)}


def _allocation(error: Exception) -> bool:
    """torch's allocator of host memory raises a bare RuntimeError."""
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _train(job: Spec, world: World, watch: Watch) -> None:
    clock = time.monotonic()
    sys.setswitchinterval(SWITCH)
    _be_deterministic(world)
    encoders = read_encoders(job.encoders)
    network, champion = _network(job, encoders)
    network.to(device=world.device)
    features = [
        name
        for name in encoders["columns"]
        if name != encoders["label"] or name not in job.config.task.hides()
    ]
    features += [GROUP] if job.config.task.grouped_by else []
    shards = _reader(job.config.data.reader).of(
        job.shards, job.files, features, encoders["label"], job.optional
    )
    start = Start(job, world, network, encoders, shards, champion)
    position, run = fit_async(start) if job.config.exchange.use == "async" else Training(start, watch).fit()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    weights = network_tensors(network)
    if world.rank == 0:
        description = {
            "model": job.config.model.model_dump(mode="json"),
            "dtype": job.config.precision.parameters,
            "parameters": parameters,
            "start": position.start,
        }
        if "task" in (resolved := job.config.model_dump(mode="json")):
            description["task"] = resolved["task"]
        saved.save(job.out, weights, encoders, description)
        metrics.collect(job.scratch, job.out)
        (job.out / "curve.json").write_bytes(canonical(curve_of(position, world)) + b"\n")
    seconds = {name: round(value, 3) for name, value in zip(PHASES, watch.seconds, strict=True)} | {
        "all": round(time.monotonic() - clock, 3)
    }
    rows = {str(epoch): count for epoch, count in run.rows_by_epoch.items()}
    lost_groups = {str(shards.groups[group]): why for group, why in run.lost.groups.items()}
    lost = {
        "row_groups": lost_groups,
        "rows_by_epoch": {str(epoch): count for epoch, count in run.lost_by_epoch.items()},
    }
    done = {
        "world": world.size,
        "resumed": run.resumed,
        "resumptions": run.resumptions,
        "restarts": int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
        "lost": lost,
        "rows_by_epoch": rows,
        "seconds": seconds,
        "time": run.blame.as_json(),
        "host": platform.node(),
        "device": str(world.device),
    }
    results.write(job.scratch, world.rank, done)


def _reader(name: str) -> type[Shards]:
    """Who decodes row groups. Petastorm is imported only where it is asked for: it lives in an environment of
    its own.
    """
    if name == "lsml":
        return Shards
    from lsml_spark.data.petastorm.loaders import PetastormShards

    return PetastormShards


def _be_deterministic(world: World) -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Memory that nothing has written yet need not be NaN, which took a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if world.device.type == "cpu":
        torch.set_num_threads(1)  # a sum over threads changes with their number


def _network(job: Spec, encoders: dict) -> tuple[Network, str | None]:
    """The network to start from, the same on every rank, and the date of the champion that it continues."""
    torch.manual_seed(seeds.derive(job.seed, "weights"))
    network = job.config.model.build(job.config.task.schema_of(encoders))
    job.config.task.prepare(network)
    network.set_prior(torch.from_numpy(_prior(job.prior)))
    network.to(getattr(torch, job.config.precision.parameters))
    start = None
    if job.champion is not None:
        old_encoders = read_encoders(job.champion / saved.ENCODERS)
        if transplant(network, encoders, saved.weights(job.champion), old_encoders):
            start = job.champion_date
    elif job.origin is not None:
        start = _adopted(job, job.origin, network, encoders)
    return network, start


def _adopted(job: Spec, origin: Path, network: Network, encoders: dict) -> str:
    """Start from `train.from`; how the report calls it."""
    names = job.config.from_.names if job.config.from_ else {}
    if not origin.is_dir():
        adopt(network, read_weights(origin), names, f"train.from.file: {origin}")
        return origin.name
    weights = saved.weights(origin)
    if names or not transplant(network, encoders, weights, read_encoders(origin / saved.ENCODERS)):
        adopt(network, weights, names, f"train.from: {origin}")
    return "/".join(origin.parts[-3:-1])


def _prior(path: Path) -> np.ndarray:
    """Log frequencies of the known labels. IntegrityError where the file is not the one that the stage
    wrote.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); run the train stage again") from error


def in_process(spec_path: Path | None, ranks: int = 0, log_path: Path | None = None) -> None:
    """Be a rank oneself: torchrun, or our agent, has started this process. Rank 0 passes the spec, the others
    None; `ranks` is torchrun's.

    Where a peer is lost and torchrun has restarts left, the process ends with the code of what may be tried
    again.
    """
    if PARENT in os.environ:
        die_with_parent()
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) < int(
        os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")
    )
    try:
        train(spec_path, stall_code=RETRY if again else TrainingError.exit_code)
    except LostPeers as error:
        if not again:
            raise
        print(f"error: {error}", file=sys.stderr)
        leave(RETRY)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

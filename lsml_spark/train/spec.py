"""What a worker is told: one JSON file, the only thing that passes from the stage (or its launcher) to the
ranks.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import File
from lsml_spark.data.order.epochs import Rule
from lsml_spark.train.config import Config


class Spec(BaseModel):
    """Paths are absolute and must be the same on every host that runs a rank."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Config
    seed: int
    shards: Path  # stage folder of the shards
    files: list[File]  # of its table `train`
    optional: list[str]  # columns that not every night's shards have, see data/read.py
    rule: Rule  # which rows each epoch reads
    encoders: Path
    prior: Path  # .npy, float64 (V,): log frequencies of the known labels
    champion: Path | None  # a train folder to start from
    champion_date: str | None
    # a train folder, or a file of safetensors, to start from where there is no champion
    origin: Path | None = None
    out: Path  # rank 0 writes the model here
    # checkpoint, results of the ranks, log; survives a killed run, removed after a finished one
    scratch: Path
    # names everything that the weights depend on: a checkpoint of another identity is not resumed
    identity: str


def read(path: Path) -> Spec:
    """The spec of a file that `write` wrote. IntegrityError where it is not one."""
    try:
        return Spec.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{path}: cannot be read ({' '.join(str(error).split())[:300]}); run the train stage again"
        ) from error


def write(path: Path, spec: Spec) -> None:
    path.touch(mode=0o600)  # values of variables are in it as they are
    path.write_text(spec.model_dump_json(indent=1))

"""Where training starts: the outputs of a network that has learned nothing but the mean of the target."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lsml_spark.core.errors import ConfigError, IntegrityError, LsmlError, TrainingError
from lsml_spark.data.batch import Column, Ragged
from lsml_spark.data.read import SAMPLE_ID, WEIGHT, Group, Shards
from lsml_spark.train.config import Config
from lsml_spark.transforms.schema import Ids, column_of


def starting_outputs(shards: Shards, encoders: Mapping[str, Any], config: Config) -> np.ndarray:
    """Shape (W,), float64. ConfigError where task and target do not fit; else as `_mean` says."""
    try:
        config.task.width(encoders)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    starts = []
    for part in config.task.parts:
        column = column_of(encoders, part.target)
        size = column.size if isinstance(column, Ids) else 0
        starts.append(part.start(_mean(dataclasses.replace(shards, label=part.target), size, config)))
    return np.concatenate(starts)


def _mean(shards: Shards, size: int, config: Config) -> np.ndarray:
    """Of ids 1 … size the smoothed, weighted shares (size,): of one id a row they sum to 1, so that training
    starts from popularity; of lists each is the share of rows that hold the id. Of numbers the weighted mean
    (1,).

    A row of the smoothing weighs as much as the average row, so that a share does not depend on the scale of
    the weights.
    """
    sums, total, rows, known = np.zeros(size + 1), 0.0, 0, 0
    lists = False
    for group in shards.groups:
        try:
            columns = shards.columns(group, [shards.label, WEIGHT])
        except IntegrityError:
            if config.data.on_bad_shard == "fail":
                raise
            continue  # the ranks will leave it out too, and count it
        weight_N = _numbers(group, WEIGHT, columns, "iuf").astype(np.float64)
        if config.data.weights and (weight_N < 0).any():
            raise TrainingError(_negative(shards, group, weight_N))
        # A weight that is not finite is the ranks' to report, with its sample id.
        weight_N = (
            np.nan_to_num(weight_N, nan=0.0, posinf=0.0) if config.data.weights else np.ones(len(weight_N))
        )
        label = columns[shards.label]
        lists = isinstance(label, Ragged)
        if isinstance(label, Ragged):
            ids, weight_T = label.values_T, np.repeat(weight_N, np.diff(label.offsets_N1))
        elif size:
            ids, weight_T = _numbers(group, shards.label, columns, "iu"), weight_N
        else:
            number_N = _numbers(group, shards.label, columns, "f")
            ids, weight_T = np.zeros(len(number_N), np.int64), weight_N * number_N
            known += len(number_N)
        if len(ids) and not 0 <= ids.min() <= ids.max() <= size:
            raise IntegrityError(
                f"{group.path}, row group {group.index}: label ids reach {ids.max()}, encoders.json knows "
                f"{size}"
            )
        sums += np.bincount(ids, weights=weight_T, minlength=size + 1)
        total, rows, known = total + float(weight_N.sum()), rows + len(weight_N), known + int((ids > 0).sum())
    if rows and not (sums[1:].any() if size else total):
        here = f"{Path(shards.groups[0].path).parent}: of {rows:,} training rows"
        if known:
            raise TrainingError(
                f"{here} those with a known label weigh nothing together; look at weight, or set "
                "train.data.weights: false"
            )
        raise TrainingError(
            f"{here} none has a label that encoders.json knows; look at label, and at min_count of its "
            "encoder"
        )
    if not size:
        return sums / total if total else sums
    if lists:
        row = total / rows if rows else 1.0
        return (sums[1:] + config.data.prior_rows * row) / (total + 2 * config.data.prior_rows * row)
    sums += config.data.prior_rows * (sums.sum() / rows if sums.any() else 1.0)
    return sums[1:] / sums[1:].sum()


def _numbers(group: Group, name: str, columns: Mapping[str, Column], kinds: str) -> np.ndarray:
    """A column of one number a row. IntegrityError where it is none."""
    column = columns[name]
    if isinstance(column, Ragged) or column.ndim != 1 or column.dtype.kind not in kinds:
        raise IntegrityError(
            f"{group}, column '{name}': it does not hold one number a row; run the shard stage again"
        )
    return column


def _negative(shards: Shards, group: Group, weight_N: np.ndarray) -> str:
    """What is wrong with weights of which some are below 0: a sample would be learned to be unlikely, without
    bound.
    """
    row = int(np.argmin(weight_N))
    try:
        name = f", sample id {np.asarray(shards.columns(group, [SAMPLE_ID])[SAMPLE_ID])[row]}"
    except LsmlError:
        name = ""
    return (
        f"{group}{name}: weight {weight_N[row]:g} is negative ({(weight_N < 0).sum()} such rows there); "
        "weights must be 0 or more"
    )

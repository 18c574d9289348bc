"""Labels that last night's model has good reason to doubt."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.figures import confident
from lsml_spark.quality.lacking import percent

FULL, FIRST = ("label", "classes", "probabilities"), ("label", "predicted", "probability")


class LabelErrors(TableCheck):
    """At most a share `at_most` of the last good night's held-out rows has a label that confident learning
    suspects.

    Reads the scores that the model of that night left: `classes` (list of text) and `probabilities` (list of
    double) of each row, in any order; classes that a row does not list have probability 0. Where there is
    only the first choice (`predicted`, `probability`) the reduced form of quality/figures/confident.py is
    used. Of several systems, `system` alone. Rows whose label the model does not know are left out. A night
    without scores is not judged. `value` is the share of suspected rows.
    """

    at_most: float = Field(0.05, ge=0, le=1)
    system: str = "model"  # whose scores are read
    at_least: int = Field(50, ge=1, description="rows below which nothing is judged")

    def describe(self) -> str:
        return f"more than {percent(self.at_most)} of last night's labels suspected to be wrong"

    def judge(self, day: Day) -> Judged:
        if not day.rows:
            return Judged("the day has no rows to judge")
        scores = day.last.load_scores() if day.last else None
        if day.last is None or scores is None:
            return Judged()
        if "system" in scores.column_names:
            scores = scores.filter(pc.equal(scores["system"], self.system))
        full = all(name in scores.column_names for name in FULL)
        if not full and not all(name in scores.column_names for name in FIRST):
            columns = f"{', '.join(FULL)} or {', '.join(FIRST)}"
            return Judged(
                f"the scores of {day.last.date} hold no class probabilities: wanted {columns}; found "
                f"{', '.join(scores.column_names)}"
            )
        rows_N, suspect_S, instead = _with_probabilities(scores) if full else _with_first_choice(scores)
        if len(rows_N) < self.at_least:
            return Judged()
        share = len(suspect_S) / len(rows_N)
        examples = [_example(scores, int(rows_N[i]), instead[i]) for i in suspect_S[:3]]
        if share <= self.at_most:
            return Judged(value=share, examples=examples)
        problem = (
            f"{len(suspect_S)} of {len(rows_N)} held-out rows of {day.last.date} ({percent(share)}) have "
            "labels that the model doubts, "
            f"at most {percent(self.at_most)} allowed; the surest: "
            + ", ".join(
                f"'{example['label']}' that looks like '{example['looks like']}'" for example in examples
            )
        )
        return Judged(problem, value=share, examples=examples)


def _with_probabilities(scores: pa.Table) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    """(rows of the table that are judged (N,), indices into them that are suspected, the class each looks
    like).
    """
    classes = pc.list_flatten(scores["classes"])
    names = pc.unique(classes.drop_null()).sort()
    prob_NK = np.zeros((scores.num_rows, len(names)))
    row_T = np.repeat(
        np.arange(scores.num_rows), pc.fill_null(pc.list_value_length(scores["classes"]), 0).to_numpy()
    )
    prob_NK[row_T, pc.index_in(classes, names).to_numpy()] = pc.list_flatten(
        scores["probabilities"]
    ).to_numpy()
    label_N = (
        pc.fill_null(pc.index_in(pc.cast(scores["label"], names.type), names), -1).to_numpy().astype(np.int64)
    )
    rows_N = np.flatnonzero((label_N >= 0) & (prob_NK.sum(1) > 0))
    label_N, prob_NK = label_N[rows_N], prob_NK[rows_N]
    others_NK = prob_NK.copy()
    others_NK[np.arange(len(rows_N)), label_N] = -1
    instead = names.take(pa.array(others_NK.argmax(1))).to_pylist() if len(names) else []
    return rows_N, confident.suspected(label_N, prob_NK), instead


def _with_first_choice(scores: pa.Table) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    names = pc.unique(
        pa.chunked_array(
            [*pc.cast(scores["label"], pa.string()).chunks, *pc.cast(scores["predicted"], pa.string()).chunks]
        )
    )
    label_N, first_N = (
        pc.fill_null(pc.index_in(pc.cast(scores[column], pa.string()), names), -1).to_numpy().astype(np.int64)
        for column in ("label", "predicted")
    )
    prob_N = np.asarray(pc.fill_null(scores["probability"], 0.0).to_numpy(), float)
    return (
        np.arange(len(label_N)),
        confident.suspected_by_first(label_N, first_N, prob_N),
        scores["predicted"].to_pylist(),
    )


def _example(scores: pa.Table, row: int, instead: str) -> dict[str, Any]:
    kept = {name: scores[name][row].as_py() for name in ("sample_id", "label") if name in scores.column_names}
    return {**kept, "looks like": instead}

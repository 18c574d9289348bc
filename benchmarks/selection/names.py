"""First names → sex, on births of the United States (SSA): a row is a birth, its key the name, its label the
sex.

Training: a uniform draw of the births of 1980–1998; learning rates are tuned on all births of 1999, the test
is all births of 2000. Features depend on the name alone, so losses are computed per distinct (name, sex) and
weighted by births: exact, and cheap. Names given to fewer than five children of a sex in a year are not
published, so they are in no set.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lsml_spark.core import seeds
from selection.task import Task

FIRST, DEV, TEST = 1980, 1999, 2000
BUCKETS = 2**16
LENGTHS = (1, 2, 3, 4, 5)  # of the n-grams, besides the whole name
DRAW = 1  # seed of the draw of births: the data set is the same for every arm and seed


@dataclass
class Births:
    """Names as strings by id, those of training first, and the arrays of `Task`; dev and test as distinct
    (name, sex) with births.
    """

    names: list[str]
    key_N: np.ndarray
    label_N: np.ndarray  # 1: a girl
    dev: pd.DataFrame  # key, label, births
    test: pd.DataFrame


def births(data: Path, rows: int) -> Births:
    """`rows` births of the training years, in the order of the years, drawn uniformly without replacement."""
    years = [read(data / "names" / f"yob{year}.txt", year) for year in range(FIRST, TEST + 1)]
    table = pd.concat(years, ignore_index=True)
    table["label"] = (table["sex"] == "F").astype(np.int64)
    train = table[table["year"] < DEV]
    generator = seeds.generator(DRAW, "births", rows)
    drawn = generator.multivariate_hypergeometric(train["births"].to_numpy(), rows, method="marginals")
    known = train["name"].to_numpy()[drawn > 0]
    names = list(dict.fromkeys([*known, *table["name"]]))
    table["key"] = table["name"].map({name: i for i, name in enumerate(names)}).astype(np.int64)
    order = np.lexsort((generator.random(rows), np.repeat(train["year"].to_numpy(), drawn)))
    key_N, label_N = (
        np.repeat(table[column].to_numpy()[: len(train)], drawn)[order] for column in ("key", "label")
    )
    dev, test = (table.loc[table["year"] == year, ["key", "label", "births"]] for year in (DEV, TEST))
    return Births(names, key_N, label_N, dev, test)


def read(path: Path, year: int) -> pd.DataFrame:
    """name, sex, births of one year's file. FileNotFoundError where it is missing."""
    return pd.read_csv(path, names=["name", "sex", "births"], keep_default_na=False).assign(year=year)


@dataclass
class NamesTask(Task):
    """What both models of names share: rows of a batch are merged by name, since they have the same
    features.
    """

    binary: bool = True
    dev: pd.DataFrame = field(default_factory=pd.DataFrame)  # as in `Births`

    @classmethod
    def of(cls, name: str, data: Births, batch: int, epochs: float, lrs: tuple[float, ...]) -> "NamesTask":
        task = cls(
            name, data.key_N, data.label_N, data.test["key"].to_numpy(), data.test["label"].to_numpy(), batch,
            epochs, lrs,
            test_weight_M=data.test["births"].to_numpy(float),
            dev_weight_D=data.dev["births"].to_numpy(float), dev=data.dev,
        )  # fmt: skip
        task.encode(data.names)
        return task

    def encode(self, names: Sequence[str]) -> None:
        """Prepare the features of every name, by id."""
        raise NotImplementedError

    def scores(self, model: object, keys_B: np.ndarray) -> np.ndarray:
        """Logits of "girl" for names by id, float64."""
        raise NotImplementedError

    def losses(self, model: object, rows: str) -> tuple[np.ndarray, np.ndarray]:
        key, label = (
            (self.test_key_M, self.test_label_M)
            if rows == "test"
            else (self.dev["key"].to_numpy(), self.dev["label"].to_numpy())
        )
        margin_M = np.where(label == 1, 1.0, -1.0) * self.scores(model, key)
        return np.logaddexp(0.0, -margin_M), margin_M <= 0

    def own_probability(self, model: object, rows_N: np.ndarray) -> np.ndarray:
        score_K = self.scores(model, np.arange(int(self.key_N.max()) + 1))
        margin_N = np.where(self.label_N[rows_N] == 1, 1.0, -1.0) * score_K[self.key_N[rows_N]]
        return 1 / (1 + np.exp(-margin_N))


class Ngrams(NamesTask):
    """Logistic regression on hashed character n-grams, Adagrad from zero (so `seed` changes nothing but the
    rows' order).
    """

    ids_T: np.ndarray  # of all names end to end
    start_K1: np.ndarray

    def encode(self, names: Sequence[str]) -> None:
        grams = [ngrams(name) for name in names]
        self.start_K1 = np.concatenate([[0], np.cumsum([len(ids) for ids in grams])])
        self.ids_T = np.concatenate(grams)

    def take(self, keys_B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Their n-grams end to end, where each begins, how many each has."""
        length_B = self.start_K1[keys_B + 1] - self.start_K1[keys_B]
        first_B = np.concatenate([[0], np.cumsum(length_B)[:-1]])
        return (
            self.ids_T[np.arange(length_B.sum()) + np.repeat(self.start_K1[keys_B] - first_B, length_B)],
            first_B,
            length_B,
        )

    def scores(self, model: np.ndarray, keys_B: np.ndarray) -> np.ndarray:
        ids_T, first_B, _ = self.take(keys_B)
        return np.add.reduceat(model[ids_T].astype(float), first_B)

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> np.ndarray:
        return self.descend(rows_T, weight_N, None, lr)

    def fit_offset(self, rows_T: np.ndarray, offset_N: np.ndarray, lr: float, seed: int) -> np.ndarray:
        return self.descend(rows_T, None, offset_N, lr)

    def descend(
        self, rows_T: np.ndarray, weight_N: np.ndarray | None, offset_N: np.ndarray | None, lr: float
    ) -> np.ndarray:
        """Weights by bucket, (BUCKETS,) float32."""
        model, squares = np.zeros(BUCKETS, np.float32), np.full(BUCKETS, 1e-8, np.float32)
        steps = -(-len(rows_T) // self.batch)
        for step in range(steps):
            rows_B = rows_T[step * self.batch : (step + 1) * self.batch]
            names_D, name_B = np.unique(self.key_N[rows_B], return_inverse=True)
            ids_T, first_D, length_D = self.take(names_D)
            logit_B = np.add.reduceat(model[ids_T], first_D)[name_B]
            sign_B = np.where(self.label_N[rows_B] == 1, 1.0, -1.0)
            if offset_N is not None:
                logit_B = logit_B + sign_B * offset_N[rows_B]
            slope_B = -sign_B / (1 + np.exp(sign_B * logit_B))
            weight_B = np.ones(len(rows_B)) if weight_N is None else weight_N[rows_B]
            slope_D = np.bincount(name_B, slope_B * weight_B / weight_B.sum())
            gradient = np.bincount(ids_T, np.repeat(slope_D, length_D), minlength=BUCKETS).astype(np.float32)
            squares += gradient * gradient
            model -= np.float32(lr * (1 - step / steps)) * gradient / np.sqrt(squares)
        return model


def ngrams(name: str) -> np.ndarray:
    """Distinct buckets of a name's n-grams, its ends marked, and of the whole name."""
    text = f"^{name.lower()}$"
    grams = {text[i : i + n] for n in LENGTHS for i in range(len(text) - n + 1)} | {"=" + text}
    return np.unique([zlib.crc32(gram.encode()) % BUCKETS for gram in grams])

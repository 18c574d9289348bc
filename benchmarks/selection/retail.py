"""Retail baskets: what is in the basket so far → the next item. Key = label = StockCode (2 900 items, a fifth
seen once or twice).

Rows and features as pipelines/retail.yaml makes them (returns, non-products and items already in the basket
dropped), the network is the library's `bag_mlp`. Train on 60 trading days, tune on the next 5, test on the 10
after those; items that training never saw get the Good–Turing mass.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lsml_spark.core import seeds
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.models.networks.bag_mlp import BagMlpNetwork
from lsml_spark.transforms.schema import Schema
from selection.classifier import ClassifierTask, Ragged, ids_of, take
from selection.descent import descend, log_prior

FIRST = "2011-03-01"  # the settings of pipelines/retail.yaml were chosen on earlier days
TRAIN_DAYS, DEV_DAYS, TEST_DAYS = 60, 5, 10
CONTEXT = 16
PRICES = [1, 2, 4, 8]


class Retail(ClassifierTask):
    """See the module's text."""

    context: Ragged  # ids as the library has them: 0 unknown, label + 1 otherwise
    categories: dict[str, np.ndarray]
    encoders: dict

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> BagMlpNetwork:
        torch.manual_seed(seeds.derive(seed, "model") & 0x7FFFFFFF)
        network = BagMlp(use="bag_mlp", dim=32, hidden=(128,), dropout=0.3, bags=2).build(
            Schema.of(self.encoders)
        )
        network.set_prior(torch.from_numpy(log_prior(self.label_N, rows_T, weight_N, self.classes)))
        optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
        descend(network, optimizer, partial(self.logits, network), self.label_N, rows_T, weight_N, self.batch)
        return network

    def logits(self, network: BagMlpNetwork, rows_B: np.ndarray) -> Tensor:
        context = take(self.context, rows_B)
        features = {name: torch.from_numpy(ids[rows_B]) for name, ids in self.categories.items()}
        return network(
            features | {"context": (torch.from_numpy(context.values_T), torch.from_numpy(context.offsets_N1))}
        )


def load(data: Path) -> Retail:
    """The task, from the folder of daily CSV files."""
    days = [path for path in sorted((data / "retail").glob("*.csv")) if path.stem >= FIRST][
        : TRAIN_DAYS + DEV_DAYS + TEST_DAYS
    ]
    train, dev = (days[n - 1].stem for n in (TRAIN_DAYS, TRAIN_DAYS + DEV_DAYS))
    rows = samples(pd.concat([lines(path) for path in days], ignore_index=True))
    date = rows["date"].to_numpy(str)
    train_N, dev_N = date <= train, (date > train) & (date <= dev)
    label = ids_of(rows["StockCode"].to_numpy(str), train_N)
    task = Retail.of(
        "retail",
        label,
        label,
        int(train_N.sum()),
        int(dev_N.sum()),
        batch=256,
        epochs=2.0,
        lrs=(0.01, 0.02, 0.04),
    )

    id_of = dict(zip(rows["StockCode"].to_numpy(str), label, strict=True))
    ids = [[id_of.get(item, task.classes) for item in items] for items in rows["context"]]
    values_T = np.array([i + 1 if i < task.classes else 0 for row in ids for i in row], dtype=np.int64)
    task.context = Ragged(values_T, np.concatenate([[0], np.cumsum([len(row) for row in ids])]))
    task.categories, columns = (
        {},
        {"label": {"values": range(task.classes)}, "context": {"list": True, "like": "label"}},
    )
    for name in ("Country", "hour", "weekday", "price_band"):
        seen = rows.loc[train_N, name].value_counts()
        known = sorted(seen[seen >= 20].index)
        task.categories[name] = (
            rows[name].map({value: i for i, value in enumerate(known, start=1)}).fillna(0).to_numpy(np.int64)
        )
        columns[name] = {"values": known}
    task.encoders = {"label": "label", "columns": columns}
    return task


def lines(path: Path) -> pd.DataFrame:
    """The clean lines of one day, in the file's order, by the rules of pipelines/retail.yaml."""
    day = pd.read_csv(
        path, dtype={"InvoiceNo": str, "StockCode": str, "CustomerID": str}, parse_dates=["InvoiceDate"]
    )
    day = day.dropna(subset=["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "Country"])
    day = day[
        day["InvoiceNo"].str.fullmatch(r"[AC]?\d{6}")
        & day["Quantity"].between(-10000, 10000)
        & day["UnitPrice"].between(0.01, 1000)
    ]
    day = day.drop_duplicates(["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice"])
    return day[(day["Quantity"] < 0) == day["InvoiceNo"].str.startswith("C")].assign(date=path.stem)


def samples(table: pd.DataFrame) -> pd.DataFrame:
    """A row per line whose item is to be guessed, with the items before it in its basket (at most 16) and its
    categories.
    """
    basket = table.groupby(["date", "InvoiceNo"], sort=False)
    position = basket.cumcount().to_numpy()
    before = basket["UnitPrice"].cumsum() - table["UnitPrice"]
    band = np.where(
        position == 0, -1, np.searchsorted(PRICES, before / np.maximum(position, 1), side="right")
    )
    contexts: list[list[str]] = [[]] * len(table)
    for rows in basket.indices.values():
        items = table["StockCode"].to_numpy()[rows].tolist()
        for n, row in enumerate(rows):
            contexts[row] = items[max(0, n - CONTEXT) : n]
    table = table.assign(
        context=contexts,
        hour=table["InvoiceDate"].dt.hour,
        weekday=table["InvoiceDate"].dt.weekday,
        price_band=band,
    )
    fresh = np.array(
        [item not in context for item, context in zip(table["StockCode"], contexts, strict=True)]
    )
    return table[~table["InvoiceNo"].str.startswith("C") & table["StockCode"].str.match(r"[0-9]{5}") & fresh]

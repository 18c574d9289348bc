"""pipelines/bank.yaml: numbers and categories with missing values, a night a month, on the shipped files; and
a transform of the user's own from the raw row to the score."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from nights import REPO, plain_environment
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

BANK = REPO / "pipelines" / "bank.yaml"
NIGHT = "2010-03-31"
NUMBERS = [
    "age",
    "campaign",
    "previous",
    "emp_var_rate",
    "cons_price_idx",
    "cons_conf_idx",
    "euribor3m",
    "nr_employed",
    "pdays",
]
CATEGORIES = [
    "job",
    "marital",
    "education",
    "default",
    "housing",
    "loan",
    "contact",
    "month",
    "poutcome",
    "weekday",
]
FEATURES = (REPO / "docs" / "features.md").read_text()
DECADE = FEATURES.partition("```python\n")[2].partition("```")[0]


def lsml(folder, *words: str) -> None:
    command = [sys.executable, "-m", "lsml_spark", *words]
    done = subprocess.run(command, cwd=folder, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def rows(folder, table: str) -> pd.DataFrame:
    return pd.concat([pq.read_table(path).to_pandas() for path in sorted((folder / table).glob("*.parquet"))])


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.timeout(900)
def test_a_month_of_calls_is_scored_at_least_as_well_as_by_scikit_learn_with_a_transform_of_ones_own(
    tmp_path,
):
    pipeline = tmp_path / "bank.yaml"
    shutil.copy(BANK, pipeline)
    (tmp_path / "mine.py").write_text(DECADE)
    words = ["run", str(pipeline), "--date", NIGHT, "--root", str(tmp_path / "runs"), "--set", "window=200"]
    words += [
        "--set",
        f"raw.folder={REPO / 'pipelines/data/bank'}",
        "--set",
        "features.columns.decade={use: mine.Decade, of: age}",
    ]
    lsml(tmp_path, *words)

    night = tmp_path / "runs" / "bank" / NIGHT
    train, test = (rows(night / "prepare", table) for table in ("train", "test"))
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    columns = ColumnTransformer(
        [("n", numbers, NUMBERS), ("c", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)]
    )
    peer = make_pipeline(columns, LogisticRegression(max_iter=5000)).fit(train, train["label"])
    wanted = log_loss(test["label"], peer.predict_proba(test))
    own = json.loads((night / "evaluate" / "metrics.json").read_text())["systems"]["model"]["log_loss"]
    assert own <= wanted + 0.01, (own, wanted)

    encoders = json.loads((night / "train" / "encoders.json").read_text())["columns"]
    ages = train["age"].to_numpy(float)
    assert encoders["euribor3m"]["center"] == pytest.approx(train["euribor3m"].mean(), rel=1e-12)
    assert encoders["euribor3m"]["scale"] == pytest.approx(train["euribor3m"].std(ddof=0), rel=1e-12)
    assert (
        encoders["age"]["edges"]
        == np.unique(np.quantile(ages, np.rint(np.arange(1, 8) / 8 * 1000) / 1000)).tolist()
    )
    assert encoders["decade"] == {"use": "mine.Decade", "of": "age", "width": 1, "youngest": ages.min()}
    lsml(tmp_path, "verify", str(pipeline), "--root", str(tmp_path / "runs"))

"""Given vectors: of every format the same, a bag is NumPy's mean, and the model needs no file to score."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.transforms.embed import Embed
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.schema import Numbers, column_of
from lsml_spark.transforms.transform import Seen

WORDS = ["the", "Ünï", "of", "the", "new york"]
VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
LINES = [
    f"{word} {' '.join(map(repr, vector.tolist()))}" for word, vector in zip(WORDS, VECTORS, strict=True)
]


def write(folder, kind: str):
    path = folder / f"vectors.{kind.removeprefix('headed ')}"
    if kind == "npy":
        np.save(path, VECTORS)
        path.with_suffix(".txt").write_text("\n".join(WORDS), "utf-8")
    elif kind == "parquet":
        pq.write_table(pa.table({"vector": VECTORS.tolist(), "word": WORDS}), path)
    else:
        path.write_text("\n".join(["5 3"] * kind.startswith("headed") + LINES) + "\n", "utf-8")
    return path


def applied(encoder: dict, array: pa.Array) -> np.ndarray:
    encoders = {"label": "y", "columns": {"x": {"use": "embed", **json.loads(json.dumps(encoder))}}}
    assert column_of(encoders, "x") == Numbers(3)
    return np.array(
        encode(encoders, pa.record_batch({"x": array})).column("x").to_pylist(), np.float32
    ).reshape(-1, 3)


@pytest.mark.parametrize("kind", ["npy", "parquet", "txt", "vec", "headed vec"])
def test_every_format_gives_the_vectors_and_the_model_needs_no_file(tmp_path, kind):
    path = write(tmp_path, kind)
    encoder = Embed(file=str(path)).fit(Seen())
    assert encoder["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    nothing = np.zeros(3, np.float32)
    found = applied(encoder, pa.array(["of", "the", "new york", "Ünï", "The", None]))
    assert (found == [VECTORS[2], VECTORS[0], VECTORS[4], VECTORS[1], nothing, nothing]).all()
    lists = pa.array(
        [["no", "of"], ["of", "the", None, "of", "never"], [], None, ["never"]], pa.list_(pa.string())
    )
    for start in (0, 1):
        bags = applied(encoder, lists.slice(start))
        wanted = [VECTORS[2], VECTORS[[2, 0, 2]].mean(axis=0), nothing, nothing, nothing][start:]
        np.testing.assert_allclose(bags, wanted, rtol=1e-6)


def test_the_first_words_travel(tmp_path):
    encoder = Embed(file=str(write(tmp_path, "headed vec")), first=2).fit(Seen())
    assert encoder["words"] == ["the", "Ünï"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "one vector"), ("a 1 2\nb 1\n", "cannot be read"), ("a x\n", "x"), ("a nan\n", "finite")],
)
def test_a_file_that_holds_no_vectors_is_named(tmp_path, text, said):
    (tmp_path / "bad.txt").write_text(text)
    for name, why in (("bad.txt", said), ("none.txt", "No such file")):
        with pytest.raises(
            ConfigError, match=rf"{name}: cannot be read as vectors of words \(.*{why}|{name}.*{why}"
        ):
            Embed(file=str(tmp_path / name)).fit(Seen())

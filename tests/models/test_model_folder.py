"""A model folder is data: nothing that it names is imported, and whatever is odd in it is an error that names
the file.
"""

import json
import sys

import pytest
import torch

from lsml_spark.core.errors import IntegrityError
from lsml_spark.models import saved
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.transforms.schema import Schema

ENCODERS = {
    "label": "label",
    "columns": {
        "label": {"use": "vocabulary", "values": ["a", "b"]},
        "context": {"use": "vocabulary", "list": True, "like": "label"},
    },
}
CONFIG = BagMlp(use="bag_mlp", dim=2, hidden=(4,))
MINE = """
from lsml_spark.models.bag_mlp import BagMlp
from pathlib import Path
Path(__file__).with_name("imported").touch()
class Mine(BagMlp):
    pass
"""


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = CONFIG.build(Schema.of(ENCODERS))
    saved.save(
        tmp_path,
        network.state_dict(),
        ENCODERS,
        {"model": CONFIG.model_dump(mode="json"), "dtype": "float32"},
    )
    assert saved.load(tmp_path).encoders == ENCODERS
    return tmp_path


def change(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


@pytest.fixture
def users_module(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_own_model.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path / "code")
    yield tmp_path / "code" / "imported"
    sys.modules.pop("my_own_model", None)


def test_a_module_that_a_model_folder_names_is_not_imported(folder, users_module):
    change(folder, "model.json", model=CONFIG.model_dump(mode="json") | {"use": "my_own_model.Mine"})
    with pytest.raises(
        IntegrityError, match=r"model\.json: the model is 'my_own_model\.Mine', of a module that"
    ):
        saved.load(folder)
    assert not users_module.exists()


def test_a_module_that_the_caller_has_imported_may_be_used(folder, users_module):
    import my_own_model  # noqa: F401 — by name, as a pipeline's YAML does

    change(folder, "model.json", model=CONFIG.model_dump(mode="json") | {"use": "my_own_model.Mine"})
    assert type(saved.load(folder).network).__name__ == "BagMlpNetwork"


@pytest.mark.parametrize(
    "name",
    ["os.system", "builtins.eval", "../../evil", "a/b", "", "no_such_model", "bag mlp", "__init__", "model"],
)
def test_names_of_no_model_are_refused(folder, name):
    change(folder, "model.json", model={"use": name})
    with pytest.raises(IntegrityError, match=r"model\.json"):
        saved.load(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *[
            ("model.json", text)
            for text in ("", "[]", "null", '"x"', "{}", "[" * 100_000, '{"model": 3, "dtype": "float32"}')
        ],
        *[
            ("model.json", json.dumps({"model": {"use": "bag_mlp"}, "dtype": dtype}))
            for dtype in ("load", "Tensor", 3, None)
        ],
        ("model.json", json.dumps({"model": {"use": "bag_mlp", "dim": "many"}, "dtype": "float32"})),
        ("model.json", json.dumps({"model": {"use": "bag_mlp", "colour": "red"}, "dtype": "float32"})),
        *[
            ("encoders.json", text)
            for text in ("", "[]", "null", "{}", '{"label": "label", "columns": []}', "\ufeff\udcff")
        ],
        ("encoders.json", json.dumps({"label": "label", "columns": {"other": {"values": []}}})),
        ("encoders.json", json.dumps({"label": ["label"], "columns": {"label": {"values": []}}})),
        ("encoders.json", json.dumps({"label": "label", "columns": {"label": {"values": [1, 2]}}})),
        ("encoders.json", json.dumps({"label": "label", "columns": {"label": {"like": "label"}}})),
        (
            "encoders.json",
            json.dumps(
                {
                    "label": "label",
                    "columns": {"label": {"values": ["a"]}, "x": {"like": "y"}, "y": {"like": "x"}},
                }
            ),
        ),
    ],
)
def test_odd_json_is_an_error_that_names_the_file(folder, name, content):
    (folder / name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(IntegrityError, match=name.replace(".", r"\.")):
        saved.load(folder)

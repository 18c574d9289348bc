"""`use: my.shop.RareFirst`: a class of the user's own, found beside the YAML, and named with its line where
it fails.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from nights import REPO

from lsml_spark.augmentations.augmentation import Augmentation
from lsml_spark.core import components
from lsml_spark.core.config import find_component
from lsml_spark.core.errors import ConfigError
from lsml_spark.flow.guard import translate
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.select.policies.policy import Spectrum

START = (REPO / "docs/start.md").read_text()
POLICY = START[START.index("```python\n# my/shop.py") :].removeprefix("```python\n").partition("```")[0]
YAML = """
name: toy
raw: {folder: days, files: "{{ date }}.csv"}
select: {policy: uniform, budget: 0.5}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project folder with a pipeline in it; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(components, "_used", set())
    monkeypatch.setenv(components.FOLDERS, "")
    _forget()
    (tmp_path / "night.yaml").write_text(YAML)
    yield tmp_path
    _forget()


def _forget() -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in ("my", "token_of_mine"):
            del sys.modules[name]


def module(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def policy(folder: Path, use: str) -> object:
    return Pipeline(folder / "night.yaml", [f"select.policy={use}"]).config("select").policy


def test_the_policy_of_the_docs_is_found_beside_the_yaml(folder, monkeypatch):
    module(folder, "my/shop.py", POLICY)
    monkeypatch.chdir("/")
    rare_first = policy(folder, "{use: my.shop.RareFirst, whole: 3}")
    spectrum = Spectrum(frequency=np.array([1, 30, 100]), keys=np.array([5, 2, 1]))  # 5, 60 and 100 rows
    assert rare_first.keep_rates(spectrum, budget=85.0).tolist() == [1.0, 0.5, 0.5]
    assert [found.__name__ for found in components.users_modules()] == ["my.shop"]


def test_the_policy_of_the_docs_is_found_in_the_current_folder(folder, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    module(elsewhere, "my/shop.py", POLICY)
    monkeypatch.chdir(elsewhere)
    rare_first = policy(folder, "{use: my.shop.RareFirst, whole: 3}")
    spectrum = Spectrum(frequency=np.array([1, 30, 100]), keys=np.array([5, 2, 1]))  # 5, 60 and 100 rows
    assert rare_first.keep_rates(spectrum, budget=85.0).tolist() == [1.0, 0.5, 0.5]


def test_a_file_beside_the_yaml_cannot_take_the_place_of_the_standard_library_here_or_in_a_child(
    folder,
):
    for name in ("token.py", "random.py", "numpy.py", "torch.py"):
        module(folder, name, "raise SystemExit('shadowed')")
    module(folder, "my/shop.py", POLICY)
    Pipeline(folder / "night.yaml")
    assert "shadowed" not in sys.path[-1]
    program = (
        "import token, random, numpy; from lsml_spark.select.policies.policy import Policy; "
        "from lsml_spark.core.config import find_component; "
        "print(find_component(Policy, 'lsml_spark.select.policies', 'my.shop.RareFirst').__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, cwd="/", env=dict(os.environ)
    )
    assert done.stdout.strip() == "RareFirst", done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot import my.shop for 'my.shop.Mine': No module named 'my'"),
        ("import numpyy\n", "my/shop.py line 1: ModuleNotFoundError: No module named 'numpyy'"),
        ("import my.other\n", "my/shop.py line 1: ModuleNotFoundError: No module named 'my.other'"),
        ("\n\ndef broken(:\n", "my/shop.py line 3: SyntaxError"),
        ("x = 1\nx / 0\n", "my/shop.py line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('bye')\n", "my/shop.py line 2: SystemExit: bye"),
        ("import numpy\nnumpy.zeros(-1)\n", "my/shop.py line 2: ValueError: negative dimensions"),
        ("def __getattr__(name):\n    raise KeyError(name)\n", "my/shop.py line 2: KeyError"),
        ("Mine = 3\n", "there is no policy 'my.shop.Mine'"),
        ("\x00", "SyntaxError"),
        (
            """
            from lsml_spark.select.policies.policy import Policy
            from pydantic import model_validator
            class Mine(Policy):
                def keep_rates(self, spectrum, budget): ...
                @model_validator(mode="after")
                def check(self):
                    return {}["nothing"]
            """,
            "select.policy: ",
        ),
        (
            """
            from lsml_spark.select.policies.policy import Policy
            class Mine(Policy):
                def keep_rates(self, spectrum, budget): ...
                def __init__(self, **values):
                    raise OSError("no such thing")
            """,
            "my/shop.py line 6: OSError: no such thing",
        ),
        (
            """
            from lsml_spark.select.policies.policy import Policy
            class Mine(Policy):
                def keep_rates(self, spectrum, budget): ...
                @property
                def needs(self):
                    return 1 / 0
            """,
            None,
        ),
    ],
)
def test_a_module_that_fails_is_a_config_error_with_the_key_the_file_and_the_line(folder, text, said):
    if text is not None:
        module(folder, "my/shop.py", text)
    if said is None:
        policy(folder, "{use: my.shop.Mine}")
        return
    with pytest.raises(ConfigError) as caught:
        policy(folder, "{use: my.shop.Mine}")
    assert "night.yaml: select.policy: " in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "use",
    [
        "..",
        ".",
        ".x",
        "a..b",
        "a.",
        "my shop.X",
        "my.shop X",
        "os.path.join",
        "1.2",
        "-",
        "zipf ",
        "../zipf",
        "zïpf.",
    ],
)
def test_a_name_that_is_none_is_refused_and_imports_nothing(folder, use):
    with pytest.raises(ConfigError, match=r"select.policy: (there is no policy|cannot import)"):
        policy(folder, f"{{use: '{use}'}}")


def test_what_a_users_class_raises_in_the_middle_of_a_night_is_the_yamls_fault_and_not_a_bug(folder):
    module(
        folder,
        "my/shop.py",
        POLICY.replace("rare = spectrum.frequency <= self.whole", "rare = spectrum.nothing"),
    )
    mine = policy(folder, "{use: my.shop.RareFirst}")
    with pytest.raises(AttributeError) as caught:
        mine.keep_rates(np.zeros(3), 1.0)
    line = 1 + POLICY.splitlines().index("        rare = spectrum.frequency <= self.whole")
    known = translate(caught.value)
    assert isinstance(known, ConfigError)
    assert f"my/shop.py line {line}: AttributeError" in str(known)
    with pytest.raises(ZeroDivisionError) as ours:
        _ = 1 / 0
    assert translate(ours.value) is None


@pytest.mark.spark
def test_a_users_augmentation_runs_in_the_python_workers_of_spark(folder, spark):
    from lsml_spark.augment.run import _applied
    from lsml_spark.spark.session import session

    module(
        folder,
        "my/shop.py",
        """
        import pyarrow as pa
        from lsml_spark.augmentations.augmentation import Augmentation

        FACTOR = 3

        def times(value):
            return value * FACTOR // (value != 13)

        class Triple(Augmentation):
            column: str

            def apply(self, samples, row_seeds_N):
                at = samples.schema.get_field_index(self.column)
                field = samples.schema.field(at)
                values = [times(value) for value in samples.column(at).to_pylist()]
                return samples.set_column(at, field, pa.array(values, field.type))
        """,
    )
    components.importable(folder)
    step = find_component(Augmentation, "lsml_spark.augmentations", "my.shop.Triple").model_validate(
        {"use": "my.shop.Triple", "column": "x"}
    )
    running = session()
    good, bad = (running.createDataFrame([("a", 1), ("b", x)], "sample_id string, x int") for x in (2, 13))
    assert sorted(row.x for row in _applied(good, step, 7).collect()) == [3, 6]
    with pytest.raises(Exception, match="ZeroDivisionError") as caught:
        _applied(bad, step, 7).collect()
    assert "my/shop.py line 8: ZeroDivisionError" in str(translate(caught.value))

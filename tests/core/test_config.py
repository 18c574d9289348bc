"""Configs: strict, one-line errors that name the near key, overrides and templating, components by name."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lsml_spark.core import config
from lsml_spark.core.config import (
    Component,
    Strict,
    apply_overrides,
    component,
    digest,
    find_component,
    read_yaml,
    render,
    validate,
)
from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Policy
from lsml_spark.select.policies.zipf import Zipf

PROJECT = Path(__file__).parents[2]


class Inner(Strict):
    depth: int = Field(1, ge=1)


class Example(Strict):
    budget: float = 0.5
    weights: bool = True
    inner: Inner = Inner()
    policy: component(Policy, "lsml_spark.select.policies") = Zipf()  # type: ignore[valid-type]


def refused(values, model=Example) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(model, values, "night.yaml: select")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("night.yaml: select")
    return message


def test_an_unknown_key_is_refused_with_the_near_name():
    message = refused({"buget": 0.5})
    assert "unknown key 'buget'" in message
    assert "did you mean 'budget'?" in message


def test_a_key_that_resembles_nothing_is_refused_with_the_list_of_keys():
    assert "known: budget, inner, policy, weights" in refused({"xyzzy": 1})


def test_an_unknown_key_of_a_nested_section_names_the_section():
    message = refused({"inner": {"dept": 3}})
    assert message.startswith("night.yaml: select.inner")
    assert "'depth'" in message


@pytest.mark.parametrize(
    ("values", "path", "found"),
    [
        ({"budget": "much"}, "select.budget", "'much'"),
        ({"inner": {"depth": 0}}, "select.inner.depth", "0"),
        ({"inner": {"depth": [1]}}, "select.inner.depth", "[1]"),
        ({"budget": float("nan")}, "select.budget", "nan"),
        ({"budget": None}, "select.budget", "None"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_what_was_found(values, path, found):
    message = refused(values)
    assert path in message
    assert f"found {found}" in message


def test_a_missing_key_is_named():
    class Needs(Strict):
        folder: str

    assert "folder: Field required" in refused({}, Needs)


@pytest.mark.parametrize("values", [None, 3, "text", ["a"]])
def test_a_section_that_is_no_mapping_is_refused(values):
    assert "expected a mapping" in refused(values)


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        validate(Example, {}, "x").budget = 1.0


def test_a_component_is_found_by_its_short_name_alone_or_with_parameters():
    assert validate(Example, {"policy": "zipf"}, "x").policy == Zipf(use="zipf")
    assert validate(Example, {"policy": {"use": "zipf", "beta": 1.0}}, "x").policy == Zipf(
        use="zipf", beta=1.0
    )


def test_a_component_of_the_users_is_found_by_its_dotted_path(tmp_path, monkeypatch):
    (tmp_path / "shop_rules.py").write_text(
        textwrap.dedent(
            """
            from lsml_spark.select.policies.policy import Policy

            class EveryOther(Policy):
                share: float = 0.5

                def keep_rates(self, spectrum, budget):
                    return spectrum.frequency * 0 + self.share

            class HalfDone(Policy):
                pass

            class NoPolicy:
                pass
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = validate(Example, {"policy": {"use": "shop_rules.EveryOther", "share": 0.25}}, "x").policy
    assert (type(found).__name__, found.share) == ("EveryOther", 0.25)
    assert "no policy 'shop_rules.NoPolicy'" in refused({"policy": "shop_rules.NoPolicy"})
    assert "'shop_rules.HalfDone' does not define keep_rates" in refused({"policy": "shop_rules.HalfDone"})
    assert "no policy 'shop_rules.Missing'" in refused({"policy": "shop_rules.Missing"})
    assert "cannot import shop_rulez" in refused({"policy": "shop_rulez.EveryOther"})
    assert "No module named 'shop_rulez'" in refused({"policy": "shop_rulez.EveryOther"})


def test_an_import_that_fails_inside_the_users_module_is_not_blamed_on_the_name(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        ValueError,
        match=r"needs_more\.py line 1: ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
    ):
        find_component(Policy, "lsml_spark.select.policies", "needs_more.Anything")


def test_a_misspelt_component_is_refused_with_the_near_name():
    message = refused({"policy": "zpif"})
    assert "no policy 'zpif'" in message
    assert "did you mean 'zipf'?" in message


@pytest.mark.parametrize("name", ["policy", "run", "", "zi pf", "Zipf"])
def test_what_is_no_component_is_refused(name):
    assert f"no policy '{name}'" in refused({"policy": name})


def test_a_component_without_use_is_refused_with_the_names_that_there_are():
    message = refused({"policy": {"beta": 1.0}})
    for name in ("cap", "power", "uniform", "zipf"):
        assert name in message


def test_a_wrong_parameter_of_a_component_is_one_line_with_its_path():
    assert "select.policy.beta" in refused({"policy": {"use": "zipf", "beta": -1}})
    assert "did you mean 'beta'?" in refused({"policy": {"use": "zipf", "bta": 1}})


def test_the_names_of_components_are_those_that_can_be_used():
    from lsml_spark.quality.check import RowCheck, TableCheck

    assert config.component_names(Policy, "lsml_spark.select.policies") == [
        "boundary",
        "cap",
        "collapse",
        "mixed",
        "power",
        "quota",
        "uniform",
        "zipf",
    ]
    rows, tables = (
        config.component_names(base, "lsml_spark.quality.checks") for base in (RowCheck, TableCheck)
    )
    assert {"complete", "in_range", "near_duplicate", "sql", "unique"} <= set(rows)
    assert {"kept", "rows", "drift", "no_leakage"} <= set(tables)
    assert not set(rows) & set(tables)
    assert "check" not in rows + tables


def test_overrides_set_nested_values_read_as_yaml():
    values = {"select": {"budget": 0.5}, "zipf": None}
    changed = apply_overrides(
        values,
        ["select.budget=0.3", "select.policy={use: cap}", "zipf.top=7", "spark.a=on", "new.deep.key=[1, x]"],
    )
    assert changed["select"] == {"budget": 0.3, "policy": {"use": "cap"}}
    assert changed["zipf"] == {"top": 7}
    assert changed["new"] == {"deep": {"key": [1, "x"]}}
    assert values == {"select": {"budget": 0.5}, "zipf": None}


def test_a_later_override_wins():
    assert apply_overrides({}, ["a.b=1", "a.b=2"]) == {"a": {"b": 2}}


def test_the_value_of_an_override_may_hold_an_equals_sign():
    assert apply_overrides({}, ["prepare.sql=SELECT a = b"]) == {"prepare": {"sql": "SELECT a = b"}}


@pytest.mark.parametrize("override", ["budget", "=3", "budget.deeper=3", "budget=[1"])
def test_an_override_that_cannot_be_read_is_a_config_error(override):
    with pytest.raises(ConfigError, match="--set") as caught:
        apply_overrides({"budget": 0.5}, [override])
    assert len(str(caught.value).splitlines()) == 1


def test_dates_and_environment_variables_are_filled_in(monkeypatch):
    monkeypatch.setenv("LSML_TEST_FOLDER", "/data")
    monkeypatch.delenv("LSML_TEST_MISSING", raising=False)
    values = {
        "files": ["{{ date }}.csv", "{{date}}/${LSML_TEST_FOLDER}"],
        "other": "${LSML_TEST_MISSING:-plain}",
        "n": 3,
    }
    assert render(values, date="2011-02-01") == {
        "files": ["2011-02-01.csv", "2011-02-01//data"],
        "other": "plain",
        "n": 3,
    }


def test_an_unset_variable_and_an_unknown_template_are_config_errors(monkeypatch):
    monkeypatch.delenv("LSML_TEST_MISSING", raising=False)
    with pytest.raises(ConfigError, match="LSML_TEST_MISSING is not set"):
        render("${LSML_TEST_MISSING}")
    with pytest.raises(ConfigError, match="did you mean 'date'"):
        render("{{ dat }}", date="2011-02-01")


def test_regular_expressions_pass_templating_unchanged():
    for pattern in (r"^[AC]?\d{6}$", "^a{2}$", "$", "{{", "{ {x} }"):
        assert render(pattern, date="2011-02-01") == pattern


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("a: [1", "not YAML"),
        ("- a", "expected a mapping"),
        ("", "expected a mapping"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_yaml_that_cannot_be_read_is_one_line_that_names_the_file(tmp_path, text, said):
    path = tmp_path / "night.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "night.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not YAML"):
        read_yaml(path)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values=st.dictionaries(st.text(), json_values, max_size=6), random=st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_keys_and_survives_json(values, random):
    keys = list(values)
    random.shuffle(keys)
    assert (
        digest({key: values[key] for key in keys}) == digest(values) == digest(json.loads(json.dumps(values)))
    )


@given(one=json_values, other=json_values)
def test_digests_of_different_values_differ(one, other):
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert digest(one) != digest(other)


def test_a_config_hash_is_the_same_in_another_process_and_changes_with_a_default_that_is_overridden():
    program = (
        "from lsml_spark.core.config import digest; from lsml_spark.select.policies.zipf import Zipf; "
        "print(digest(Zipf(use='zipf', beta=0.25).model_dump(mode='json')))"
    )
    told = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
            cwd=PROJECT,
        )
        told.add(done.stdout.strip())
    assert told == {digest(Zipf(use="zipf", beta=0.25).model_dump(mode="json"))}
    assert digest(Zipf(beta=0.25).model_dump()) != digest(Zipf().model_dump())


def test_all_fields_of_a_component_reach_the_resolved_config():
    resolved = validate(Example, {"policy": {"use": "power", "exponent": 0.75}}, "x").model_dump(mode="json")
    assert resolved["policy"] == {"use": "power", "exponent": 0.75}


def test_base_classes_of_components_are_configs_too():
    assert issubclass(Component, Strict)

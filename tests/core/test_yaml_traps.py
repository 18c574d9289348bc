"""What a YAML file can be beside a pipeline: every trap is one line that names the file and the place, and
takes no time.
"""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.overrides import apply_overrides
from lsml_spark.core.yaml_text import read_value, read_yaml
from lsml_spark.flow.pipeline import Pipeline

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9)
)
TEXT_BOMB = f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 2000)}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "quality: {a: 1}\nname: x\nquality: {}",
            "line 3, column 1: the key 'quality' stands here for the second time, first in line 1",
        ),
        ("a: {b: [{c: 1, d: 2, 'c': 3}]}", "the key 'c' stands here for the second time"),
        ("1: a\n'1': b", "the key '1' stands here for the second time"),
        ("a: &a [*a]", "stands within its own anchor"),
        ("a: &a {b: {c: *a}}", "stands within its own anchor"),
        (BOMB, "too large with all its aliases written out"),
        (TEXT_BOMB, "too large with all its aliases written out"),
        ("a: *b", "names no anchor before it"),
        ("[" * 3000, "levels deep"),
        ("{a: " * 1000, "levels deep"),
        ("\n".join(f"{' ' * i}a:" for i in range(1000)), "levels deep"),
        ("- " * 1000, "levels deep"),
        (f"a: {'9' * 5000}", "a whole number of 5,000 characters"),
        (f"a: {'9' * 30}", "needs more than 64 bits"),
        ("a: 2011-13-45", "looks like a date and is none"),
        ("a: !!int x", "is none"),
        ("a: !!bool perhaps", "is none"),
        ("a: !!timestamp x", "is none"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not known"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("!!set {a, b}", "is not known"),
        ("? [a]\n: b", "a key must be text"),
        ("a: {{ date }}", "put it in quotes"),
        ("{? : a}", "a key is empty"),
        ("<<: 3", "<< takes a mapping"),
        ("a:\n\tb: 1", "line 2, column 1"),
        ("a:\n\tb: 1", "indent with spaces, not tabs"),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document"),
        ('a: "\\0"', "a NUL character"),
        ('a: "\\ud800"', "line 1"),
        ("\x07", "not YAML"),
        ("", "found nothing"),
        ("just text", "expected a mapping"),
    ],
)
def test_a_trap_is_refused_in_one_line_that_names_file_and_place(tmp_path, text, said):
    path = tmp_path / "night.yaml"
    path.write_text(text)
    began = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert len(message) < 500 + len(str(path))


def test_what_is_no_regular_text_file_is_refused(tmp_path):
    pipe, utf16, large = tmp_path / "pipe", tmp_path / "utf16.yaml", tmp_path / "large.yaml"
    os.mkfifo(pipe)
    utf16.write_text("name: x", encoding="utf-16")
    large.write_bytes(b"#" * 5_000_000)
    cases = [
        (tmp_path, "is a folder"),
        (pipe, "is no regular file"),
        (Path("/dev/zero"), "is no regular file"),
        (utf16, "UTF-16"),
        (large, "bytes"),
        (tmp_path / "no.yaml", "no such file"),
        (utf16 / "below.yaml", "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]
    for path, said in cases:
        with pytest.raises(ConfigError, match=said):
            read_yaml(path)


def test_keys_are_text_as_they_are_written_and_values_are_plain():
    text = (
        "1990: int\nno: string\n2011-02-01: x\n1.50: y\n=: z\nwhen: 2011-02-01\nat: 2011-02-01 10:00:00\n"
        "equals: =\nyes: off"
    )
    assert read_value(text, "f") == {
        "1990": "int",
        "no": "string",
        "2011-02-01": "x",
        "1.50": "y",
        "=": "z",
        "when": "2011-02-01",
        "at": "2011-02-01 10:00:00",
        "equals": "=",
        "yes": False,
    }


def test_anchors_and_merge_keys_work_and_what_is_written_wins():
    text = (
        "base: &base {low: 0, high: 9}\nmore: &more {at_most: 0.1, low: 7}\na: {<<: *base, high: 5}\nb: "
        "{<<: [*base, *more]}\nc: {'<<': 1}"
    )
    found = read_value(text, "f")
    assert found["a"] == {"low": 0, "high": 5}
    assert found["b"] == {"low": 0, "high": 9, "at_most": 0.1}
    assert found["c"] == {"<<": 1}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    path = tmp_path / "night.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x")
    assert read_yaml(path) == {"name": "x"}


fragments = st.lists(
    st.sampled_from(
        [
            *"[]{}:,-?*&!|>%@`'\"#\t\n =~",
            "<<",
            "a",
            "&a ",
            "*a",
            ": ",
            "- ",
            "\n  ",
            "!!int ",
            "!!map ",
            "1e9",
            "0x",
            "---\n",
            "9" * 50,
        ]
    ),
    max_size=60,
).map("".join)


def refusal_of(read) -> str:
    """What a ConfigError says, after less than a second of work; "" where there is none."""
    began = time.process_time()
    try:
        read()
        return ""
    except ConfigError as error:
        return str(error)
    finally:
        assert time.process_time() - began < 1


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(max_size=200), fragments))
def test_any_text_is_values_or_a_config_error_of_one_line_within_a_second(text):
    said = refusal_of(lambda: read_value(text, "night.yaml"))
    assert not said or (said.startswith("night.yaml: ") and len(said.splitlines()) == 1)


@settings(max_examples=200, deadline=None)
@given(override=st.one_of(st.text(max_size=40), fragments, fragments.map(lambda text: f"a.b={text}")))
def test_any_override_is_taken_or_a_config_error(override):
    said = refusal_of(lambda: apply_overrides({"a": {"b": 1}}, [override]))
    assert not said or said.startswith("--set ")


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("spark.executor.memory=2g", {"spark": {"spark.executor.memory": "2g"}}),
        ("spark.spark.executor.memory=2g", {"spark": {"spark.executor.memory": "2g"}}),
        ("""spark."spark.executor.memory"=2g""", {"spark": {"spark.executor.memory": "2g"}}),
        ("spark={spark.executor.cores: 3}", {"spark": {"spark.executor.cores": 3}}),
        ("""quality.columns."a.b=c"=[complete]""", {"quality": {"columns": {"a.b=c": ["complete"]}}}),
        ("""quality.columns.'x"y'.z=1""", {"quality": {"columns": {'x"y': {"z": 1}}}}),
        ("a.b=x=y.z", {"a": {"b": "x=y.z"}}),
        ("a=", {"a": None}),
    ],
)
def test_an_override_can_name_every_key(override, changed):
    assert apply_overrides({}, [override]) == changed


@pytest.mark.parametrize(
    "override",
    [
        "a..b=1",
        ".a=1",
        "a.=1",
        '"a=1',
        'a"b"=1',
        "'a'b=1",
        "",
        "=",
        "a.b",
        "a=[1",
        "a={b: 1, b: 2}",
        "a=&x [*x]",
    ],
)
def test_an_override_that_names_no_key_or_no_value_is_refused(override):
    with pytest.raises(ConfigError, match="--set"):
        apply_overrides({}, [override])


def pipeline(folder: Path, text: str, *overrides: str) -> Pipeline:
    path = folder / "night.yaml"
    path.write_text(text)
    return Pipeline(path, overrides)


RAW = "name: toy\nraw: {folder: days, files: '{{ date }}.csv'}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: toy", "night.yaml: raw: "),
        ("raw: {folder: days, files: x}", "night.yaml: name: Field required"),
        (f"{RAW}window: many", "night.yaml: window: "),
        (f"{RAW}nme: x", "night.yaml: unknown key 'nme' (did you mean 'name'?)"),
        (
            f"{RAW}spark: {{spark: {{executor: {{memory: 2g}}}}}}",
            "night.yaml: spark: spark: a mapping is no value of a Spark property",
        ),
        (
            f"{RAW}spark: {{master: local}}",
            "'master' is no Spark property, which all begin with `spark.`; write `spark.master`",
        ),
        (f"{RAW}spark: [a]", "night.yaml: spark: expected Spark properties"),
        (f"{RAW}spark: {{spark.x: }}", "nothing is no value"),
        (f"{RAW}seed: '{{{{ date }}}}'", "night.yaml: seed: '{{ date }}' is unknown"),
    ],
)
def test_a_mistake_at_the_top_is_named_without_a_lone_dot(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        pipeline(tmp_path, text)
    assert said in str(caught.value)
    assert ": ." not in str(caught.value)


def test_variables_are_filled_in_in_every_section(tmp_path, monkeypatch):
    for name, value in {
        "LSML_T_NAME": "toy",
        "LSML_T_W": "9",
        "LSML_T_S": "77",
        "LSML_T_D": "days",
        "LSML_T_MB": "512m",
    }.items():
        monkeypatch.setenv(name, value)
    text = """
name: ${LSML_T_NAME}
seed: ${LSML_T_S}
window: ${LSML_T_W}
raw: {folder: "${LSML_T_D}/x", files: "{{ date }}.csv"}
spark: {spark.executor.memory: "${LSML_T_MB}"}
zipf: {top: "${LSML_T_W}"}
"""
    found = pipeline(tmp_path, text)
    general = found.general
    assert (general.name, general.seed, general.window, general.raw.folder) == ("toy", 77, 9, "days/x")
    assert found.spark_settings == {"spark.executor.memory": "512m"}
    assert found.config("zipf").model_dump()["top"] == 9
    monkeypatch.delenv("LSML_T_W")
    with pytest.raises(ConfigError, match=r"night.yaml: window: environment variable LSML_T_W is not set"):
        pipeline(tmp_path, text)

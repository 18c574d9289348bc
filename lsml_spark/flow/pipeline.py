"""A pipeline YAML: general keys here, and one section per stage, validated by that stage's own `Config`."""

import datetime
import importlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, field_validator

from lsml_spark.core import components, variables
from lsml_spark.core.config import (
    Strict,
    apply_overrides,
    component,
    did_you_mean,
    find_component,
    read_yaml,
    render,
    validate,
)
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import Raw
from lsml_spark.core.stages import BY_NAME, STAGES
from lsml_spark.flow.raw_days import RawDays
from lsml_spark.tasks.classify import Classify
from lsml_spark.tasks.task import PACKAGE as TASKS
from lsml_spark.tasks.task import Task
from lsml_spark.transforms.transform import PACKAGE, Transform

# a variable's value here is no secret: paths begin with the name, pages show the rest
PUBLIC = ("name", "seed", "window")
# of `raw:`; what else stands there says how the files are written, and is the quality stage's
PLACE = ("folder", "files")
# of shards; where one is auto, the batch and the lanes of `train:` decide it
SIZES = ("shards", "rows_per_group")


class General(Strict):
    """The keys beside the stages' sections. `window`: days of history; `task`: what is learned; `spark`:
    Spark properties."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")  # of the folder of its runs
    seed: int = 0  # of every random draw
    window: int = Field(60, ge=1)
    raw: Raw  # the raw days
    task: component(Task, TASKS) = Classify(use="classify")  # type: ignore[valid-type]
    spark: dict[str, str | int | float | bool] = {}

    @field_validator("spark", mode="before")
    @classmethod
    def _are_properties(cls, given: Any) -> Any:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise ValueError("expected Spark properties, such as `spark.executor.memory: 2g`")
        for name, value in given.items():
            if isinstance(value, Mapping | list) or value is None:
                what = "nothing" if value is None else "a list" if isinstance(value, list) else "a mapping"
                raise ValueError(
                    f"{name}: {what} is no value of a Spark property; it is one key with dots: "
                    "`spark.executor.memory: 2g`"
                )
            if not str(name).startswith("spark."):
                raise ValueError(
                    f"'{name}' is no Spark property, which all begin with `spark.`; write `spark.{name}`"
                )
        return given


class Pipeline:
    """A pipeline as the user wrote it, with `--set` applied. A stage's section is validated when it is asked
    for, so that a host without pyspark can train and a host without torch can select."""

    def __init__(self, path: Path, overrides: Sequence[str] = ()):
        self.path, self.overrides = path, tuple(overrides)
        values = apply_overrides(read_yaml(path), overrides)
        variables.learn({key: value for key, value in values.items() if key not in PUBLIC})
        components.importable(path.parent, Path())
        general = {key: value for key, value in values.items() if key not in STAGES}
        for key in general:
            known = [*General.model_fields, *STAGES]
            if key not in known:
                raise ConfigError(f"{path}: unknown key '{key}'{did_you_mean(key, known)}")
        general = {key: self._filled(key, value) for key, value in general.items()}
        general["raw"] = general.get("raw")  # its `{{ date }}` is rendered per day
        self.general = validate(General, general, f"{path}: ")
        self._tasked = "task" in general
        self._raw = {key: value for key, value in (values.get("raw") or {}).items() if key not in PLACE}
        self._sections = {stage: values.get(stage) or {} for stage in STAGES}
        self._configs: dict[str, Strict] = {}

    @property
    def name(self) -> str:
        return self.general.name

    def config(self, stage: str) -> Strict:
        """The validated section of a stage; ConfigError names file and key."""
        if stage not in self._configs:
            section = self._filled(stage, self._sections[stage])
            if (
                stage == "shard"
                and isinstance(section, Mapping)
                and "auto" in [section.get(key, "auto") for key in SIZES]
            ):
                # as written: a host that shards need not be able to train
                train = self._filled("train", self._sections["train"])
                section = {
                    **{
                        key: train[key]
                        for key in ("lanes", "batch")
                        if isinstance(train, Mapping) and key in train
                    },
                    **section,
                }
            if stage in ("features", "train", "evaluate", "promote") and isinstance(section, Mapping):
                section = self._with_task(stage, section)
            if stage == "quality" and isinstance(section, Mapping):
                if "raw" in section:
                    raise ConfigError(
                        f"{self.path}: quality.raw: how raw files are written is said in `raw:`, beside "
                        "folder and files"
                    )
                section = {**section, "raw": self.general.raw.format.changed()}
            self._configs[stage] = validate(stage_module(stage).Config, section, f"{self.path}: {stage}")
        return self._configs[stage]

    def _with_task(self, stage: str, section: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a stage must know of the section `task:`: training all of it, the features the target,
        evaluation its baselines.
        """
        for key in {"train": ("task",), "features": ("label", "group", "targets")}.get(stage, ()):
            if key in section and (key != "label" or self._tasked):
                raise ConfigError(
                    f"{self.path}: {stage}.{key}: what is learned is said in the section `task:`"
                )
        task: Task = self.general.task
        if not self._tasked:
            label = (self._sections["features"] or {}).get("label", "label") if stage == "train" else "label"
            return section if label == "label" else {**section, "task": {"use": "classify", "target": label}}
        if stage in ("evaluate", "promote"):
            if isinstance(task, Classify):
                return section
            if stage == "evaluate":
                return {"context": None, "baselines": task.baselines, **section}
            return {"beat": next((baseline["use"] for baseline in task.baselines), ""), **section}
        if stage == "train":
            return {**section, "task": task}
        targets = {part.target: part.learns for part in task.parts}
        return {**section, "label": task.target, "group": task.grouped_by, "targets": targets}

    def writes(self, stage: str) -> bool:
        """Whether the YAML has a section of this stage with anything in it."""
        return bool(self._sections[stage])

    def check(self, stages: Sequence[str]) -> None:
        """Validate several sections at once, so that a typing error is found before the night begins."""
        self.raw_days.check()
        for stage in stages:
            self.config(stage)

    def import_named(self) -> None:
        """Import the user's modules that a model needs to score: what its folder names is not imported for
        that alone.

        Without the features stage, whose own module needs Spark.
        """
        self.config("train")
        columns = self._filled("features", self._sections["features"]).get("columns") or {}
        for transform in columns.values():
            use = transform.get("use") if isinstance(transform, Mapping) else transform
            if isinstance(use, str) and "." in use:
                find_component(Transform, PACKAGE, use)

    def _filled(self, key: str, section: Any) -> Any:
        """A section with its variables; what it says of days is left for later where it may, and refused
        where it may not.
        """
        try:
            return variables.fill_variables(section) if key == "raw" else render(section)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {key}: {error}") from error

    def resolved(self, stage: str) -> dict[str, Any]:
        """The stage's section with all defaults filled in, as plain JSON values; values of variables are
        masked.
        """
        resolved: dict[str, Any] = variables.masked(self.config(stage).model_dump(mode="json"))
        return resolved

    def secrets_of(self, stage: str) -> list[str]:
        """Names of the variables in a stage's section whose values `resolved` masks."""
        self.config(stage)
        return variables.secrets_of([self._sections[stage], self._raw if stage == "quality" else {}])

    @cached_property
    def spark_settings(self) -> dict[str, str]:
        return {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in self.general.spark.items()
        }

    @cached_property
    def raw_days(self) -> RawDays:
        return RawDays(self.path, self.general.raw)

    def raw_files(self, date: datetime.date) -> list[Path]:
        """Raw files of a day in name order; none where there are no data of that day."""
        return self.raw_days.files(date)


def stage_module(stage: str) -> ModuleType:
    """`lsml_spark.<stage>.run`, imported only when needed."""
    try:
        return importlib.import_module(f"lsml_spark.{stage}.run")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("lsml_spark"):
            raise
        raise ConfigError(
            f"stage {stage} needs the package '{error.name}', which is not installed here; "
            f"install lsml_spark[{BY_NAME[stage].extra or 'train'}]"
        ) from error

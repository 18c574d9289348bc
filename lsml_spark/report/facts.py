"""One night as the report sees it: the stages that exist, their manifests, and the JSON files that the
contract names.

Everything may be missing: a night that stopped at the quality gate has one stage, the first night has no
previous one. `dig` walks nested facts and answers None instead of failing, so that the page shows "–" where a
stage knew nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsml_spark.core import manifest
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.stages import REPORT
from lsml_spark.core.work import Source, Work

STAGES = REPORT.reads


@dataclass(frozen=True)
class Night:
    """The stages of one logical date in the order of the data, those of the night before, quality of earlier
    ones, the last pilot.

    `champion`: the train folder of the model that stood before this night.
    """

    pipeline: str
    date: str
    seed: int
    sources: Mapping[str, Source]
    previous: Mapping[str, Source] = field(default_factory=dict)
    history: Mapping[str, Source] = field(default_factory=dict)
    pilot: Source | None = None
    champion: Source | None = None

    @property
    def last_good(self) -> Source | None:
        """The quality folder of the latest earlier night that passed its gate."""
        if self.history:
            return self.history[max(self.history)]
        previous = self.previous.get("quality")
        return previous if previous is not None and not previous.manifest.metrics.get("failed") else None

    def facts(self, stage: str, name: str) -> dict[str, Any]:
        """A stage's JSON file; empty where there is no such stage or it wrote no such file."""
        return facts_of(self.sources.get(stage), name)

    def facts_before(self, stage: str, name: str) -> dict[str, Any]:
        """The same file of the previous night."""
        return facts_of(self.previous.get(stage), name)

    def quality(self) -> dict[str, Any]:
        """`verdict`, `findings`, `schema_drift` of the quality stage: from its metrics, else from
        findings.json.
        """
        return quality_of(self.sources.get("quality"))

    def serves(self) -> str | None:
        """The night whose model is in use after this one; None where there is none."""
        decision = self.facts("promote", "decision.json")
        if decision:
            return str(decision["champion"]) if decision.get("champion") else None
        return self.champion.manifest.date if self.champion is not None else None

    def plainest(self) -> str:
        """The baseline that a first model must beat."""
        source = self.sources.get("promote")
        return str(source.manifest.config.get("beat", "popularity")) if source is not None else "popularity"

    def stopped_by(self) -> tuple[str, str] | None:
        """(stage, sentence) of the stage that found the data not fit to go on."""
        for stage, source in self.sources.items():
            if source.manifest.metrics.get("failed"):
                return stage, str(source.manifest.metrics["failed"])
        return None


def from_work(work: Work) -> Night:
    """The night of a report stage: its inputs, `previous/<stage>` of an earlier night, `history/<date>` of
    the good ones, and `pilot` and `champion`."""
    sources = {stage: work.inputs[stage] for stage in STAGES if stage in work.inputs}
    previous, history = (
        {
            name.removeprefix(prefix): work.inputs[name]
            for name in sorted(work.inputs)
            if name.startswith(prefix)
        }
        for prefix in ("previous/", "history/")
    )
    pilot, champion = work.inputs.get("pilot"), work.inputs.get("champion")
    return Night(work.pipeline, work.date.isoformat(), work.seed, sources, previous, history, pilot, champion)


def from_folder(folder: Path, pipeline: str) -> Night:
    """The night in `runs/<pipeline>/<date>/`, whatever of it is finished; IntegrityError on a damaged
    manifest.
    """
    manifests = {stage: manifest.read(folder / stage) for stage in STAGES}
    sources = {
        stage: Source(folder / stage, manifest_)
        for stage, manifest_ in manifests.items()
        if manifest_ is not None
    }
    seed = next((source.manifest.seed for source in sources.values()), 0)
    return Night(pipeline, folder.name, seed, sources)


def dig(value: Any, *path: str) -> Any:
    """`value[path[0]][path[1]]…`, None as soon as something is not there."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def quality_of(source: Source | None) -> dict[str, Any]:
    """`verdict`, `findings`, `schema_drift` of a quality folder: from its metrics, else from
    findings.json.
    """
    if source is None:
        return {}
    known = {key: value for key, value in source.manifest.metrics.items() if value is not None}
    return {**facts_of(source, "findings.json"), **known}


def facts_of(source: Source | None, name: str) -> dict[str, Any]:
    """A JSON file of a folder; empty where there is no such folder or it wrote no such file."""
    if source is None or name not in {file.path for file in source.manifest.files}:
        return {}
    path = source.file(name)
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read as JSON: {error}") from error
    return value if isinstance(value, dict) else {name.removesuffix(".json"): value}

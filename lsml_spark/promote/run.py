"""The promote stage: tonight's model stands tomorrow only if it is no worse than the champion, overall and
for every band of keys.
"""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from lsml_spark.core.config import Strict, did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.scoreboard import Figure, deciding
from lsml_spark.core.work import Outcome, Work, gone_champion


class Config(Strict):
    """Tolerances are relative, of the task's first figure: 0.01 lets a model's log loss, or RMSE, be 1 %
    worse than the champion's.
    """

    tolerance: float = Field(0.01, ge=0.0)  # overall
    band_tolerance: float = Field(0.05, ge=0.0)  # in every band of keys
    # of the slices that `evaluate.slices` names; null: they have no say
    slice_tolerance: float | None = Field(None, ge=0.0)
    min_rows: int = Field(50, ge=1)  # bands and slices with fewer test rows have no say
    beat: str = "popularity"  # the baseline that a first model must beat

    @model_serializer(mode="wrap")
    def _without_the_usual(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A night that was made before there were slices stays up to date."""
        fields: dict[str, Any] = plain(self)
        return {key: value for key, value in fields.items() if key != "slice_tolerance" or value is not None}


def run(work: Work, config: Config) -> Outcome:
    """Inputs `evaluate`, `train`, and where there are such `previous` (the promote folder of the night
    before) and `champion` (the model that stands). Writes `decision.json`."""
    metrics = work.inputs["evaluate"].json("metrics.json")
    systems, figure = metrics["systems"], deciding(metrics)
    standing, lost = _standing(work, systems["champion"] is not None)
    if other := metrics.get("champion_learned"):
        promoted, reasons = first(
            systems, config, figure, f"The champion of {standing} learned something else, {other}"
        )
    elif standing is None:
        promoted, reasons = first(systems, config, figure)
    elif systems["champion"] is None:
        raise IntegrityError(
            f"{work.inputs['evaluate'].folder}: the champion of {standing} was not scored; run evaluate again"
        )
    else:
        promoted, reasons = no_worse(systems["model"], systems["champion"], standing, config, figure)
    if lost:
        reasons = [f"{lost[0].upper()}{lost[1:]}.", *reasons]
    tonight = work.date.isoformat()
    decision = {
        "promoted": promoted,
        "champion": tonight if promoted else standing,
        "previous": standing,
        "reasons": reasons,
    }
    return Outcome(Ledger(), files=[write_json(work.folder, "decision.json", decision)], metrics=decision)


def first(
    systems: dict[str, Any], config: Config, figure: Figure, why: str = "There is no champion yet"
) -> tuple[bool, list[str]]:
    """No champion: beat the named baseline on the figure that decides, and where labels are chosen have no
    lower recall.
    """
    if config.beat not in systems or systems[config.beat] is None:
        others = [name for name, figures in systems.items() if figures and name != "model"]
        raise ConfigError(
            f"promote.beat: evaluate scored no '{config.beat}'{did_you_mean(config.beat, others)}"
        )
    model, baseline = systems["model"], systems[config.beat]
    ours, theirs = model[figure.name], baseline[figure.name]
    if ours is None or theirs is None:
        return False, ["There were no test rows to judge the first model by."]
    better = ours > theirs if figure.better == "higher" else ours < theirs
    comparison = f"{figure.title} {ours:.3f} against {theirs:.3f}"
    if "recall" in model:
        better = better and model["recall"] >= baseline["recall"]
        comparison += f", recall {model['recall']:.1%} against {baseline['recall']:.1%}"
    verdict = "beats" if better else "does not beat"
    return better, [f"{why}, and the model {verdict} {config.beat}: {comparison}."]


def no_worse(
    model: dict[str, Any], champion: dict[str, Any], standing: str, config: Config, figure: Figure
) -> tuple[bool, list[str]]:
    """Within tolerance of the champion overall, and in every band and slice that has rows enough."""
    value, old = model[figure.name], champion[figure.name]
    if value is None or old is None:
        return False, [f"There were no test rows; the champion of {standing} stays."]
    failed: list[str] = []
    passed: list[str] = []
    verdict = failed if _worse(figure, value, old, config.tolerance) else passed
    allowed = f"{config.tolerance:.1%} worse is allowed"
    verdict.append(
        f"{_capital(figure.title)} {_change(figure, value, old)} overall ({value:.3f} against {old:.3f}; "
        f"{allowed})."
    )
    judged = dict.fromkeys(("bands", "slices"), 0)
    for kind, where, tolerance in (
        ("bands", "on keys with {} training rows", config.band_tolerance),
        ("slices", "on the slice ‘{}’", config.slice_tolerance),
    ):
        if tolerance is None:
            continue
        for name, figures in (model.get(kind) or {}).items():
            value, old = figures[figure.name], ((champion.get(kind) or {}).get(name) or {}).get(figure.name)
            if figures["rows"] < config.min_rows or value is None or old is None:
                continue
            judged[kind] += 1
            if _worse(figure, value, old, tolerance):
                allowed = f"{tolerance:.1%} worse is allowed"
                change = f"{_capital(figure.title)} {_change(figure, value, old)} {where.format(name)}"
                failed.append(f"{change} ({value:.3f} against {old:.3f}; {allowed}).")
    if not failed:
        slices = f" and {judged['slices']} slices" if judged["slices"] else ""
        passed.append(
            f"No worse than the champion of {standing} in any of the {judged['bands']} bands{slices} with "
            f"{config.min_rows} "
            "test rows or more."
        )
    return not failed, failed or passed


def _worse(figure: Figure, value: float, old: float, tolerance: float) -> bool:
    """Whether a value is worse than an old one by more than this share of it."""
    return (
        value < old - tolerance * abs(old)
        if figure.better == "higher"
        else value > old + tolerance * abs(old)
    )


def _change(figure: Figure, value: float, old: float) -> str:
    share = (value - old) / abs(old) if old else 0.0
    better = (share > 0) == (figure.better == "higher")
    return "is equal" if abs(share) < 0.0005 else f"is {abs(share):.1%} {'better' if better else 'worse'}"


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]


def _standing(work: Work, scored: bool) -> tuple[str | None, str | None]:
    """The night whose model stands before this one, and a sentence where it is not the one that was promoted
    last.

    That night's folder may be gone; evaluate has then scored the one that stood before it, or none.
    """
    previous, model = work.inputs.get("previous"), work.inputs.get("champion")
    promised = previous.json("decision.json")["champion"] if previous else None
    if promised is None or (scored and not model):
        return promised, None
    night = model.manifest.date if model else None
    return night, None if night == promised else gone_champion(promised, night)

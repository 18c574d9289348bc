"""The promote stage: tonight's model stands tomorrow only if it is no worse than the champion, overall and for every band of keys."""

from typing import Any

from pydantic import Field

from lsml_spark.core.config import Strict, did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work, gone_champion


class Config(Strict):
    """Tolerances are relative log loss: 0.01 lets a model be 1 % worse than the champion."""

    tolerance: float = Field(0.01, ge=0.0)  # overall
    band_tolerance: float = Field(0.05, ge=0.0)  # in every band of keys
    min_rows: int = Field(50, ge=1)  # bands with fewer test rows have no say
    beat: str = "popularity"  # the baseline that a first model must beat


def run(work: Work, config: Config) -> Outcome:
    """Inputs `evaluate`, `train`, and where there are such `previous` (the promote folder of the night before) and `champion`
    (the model that stands). Writes `decision.json`."""
    systems = work.inputs["evaluate"].json("metrics.json")["systems"]
    standing, lost = _standing(work, systems["champion"] is not None)
    if standing is None:
        promoted, reasons = first(systems, config)
    elif systems["champion"] is None:
        raise IntegrityError(f"{work.inputs['evaluate'].folder}: the champion of {standing} was not scored; run evaluate again")
    else:
        promoted, reasons = no_worse(systems["model"], systems["champion"], standing, config)
    if lost:
        reasons = [f"{lost[0].upper()}{lost[1:]}.", *reasons]
    tonight = work.date.isoformat()
    decision = {"promoted": promoted, "champion": tonight if promoted else standing, "previous": standing, "reasons": reasons}
    return Outcome(Ledger(), files=[write_json(work.folder, "decision.json", decision)], metrics=decision)


def first(systems: dict[str, Any], config: Config) -> tuple[bool, list[str]]:
    """No champion: beat the named baseline on log loss and recall."""
    if config.beat not in systems or systems[config.beat] is None:
        others = [name for name, figures in systems.items() if figures and name != "model"]
        raise ConfigError(f"promote.beat: evaluate scored no '{config.beat}'{did_you_mean(config.beat, others)}")
    model, baseline = systems["model"], systems[config.beat]
    if model["log_loss"] is None:
        return False, ["There were no test rows to judge the first model by."]
    better = model["log_loss"] < baseline["log_loss"] and model["recall"] >= baseline["recall"]
    losses = f"log loss {model['log_loss']:.3f} against {baseline['log_loss']:.3f}"
    recalls = f"recall {model['recall']:.1%} against {baseline['recall']:.1%}"
    verdict = "beats" if better else "does not beat"
    return better, [f"There is no champion yet, and the model {verdict} {config.beat}: {losses}, {recalls}."]


def no_worse(model: dict[str, Any], champion: dict[str, Any], standing: str, config: Config) -> tuple[bool, list[str]]:
    """Within tolerance of the champion overall and in every band that has rows enough."""
    if model["log_loss"] is None:
        return False, [f"There were no test rows; the champion of {standing} stays."]
    failed: list[str] = []
    passed: list[str] = []
    loss, old = model["log_loss"], champion["log_loss"]
    verdict = failed if loss > old * (1 + config.tolerance) else passed
    verdict.append(f"Log loss {_change(loss, old)} overall ({loss:.3f} against {old:.3f}; {config.tolerance:.1%} worse is allowed).")
    judged = 0
    for band, figures in model["bands"].items():
        if figures["rows"] < config.min_rows:
            continue
        judged += 1
        loss, old = figures["log_loss"], champion["bands"][band]["log_loss"]
        if loss > old * (1 + config.band_tolerance):
            failed.append(
                f"Log loss {_change(loss, old)} on keys with {band} training rows ({loss:.3f} against {old:.3f}; "
                f"{config.band_tolerance:.1%} worse is allowed)."
            )
    if not failed:
        passed.append(f"No worse than the champion of {standing} in any of the {judged} bands with {config.min_rows} test rows or more.")
    return not failed, failed or passed


def _change(loss: float, old: float) -> str:
    share = (loss - old) / old
    return "is equal" if abs(share) < 0.0005 else f"is {abs(share):.1%} {'worse' if share > 0 else 'better'}"


def _standing(work: Work, scored: bool) -> tuple[str | None, str | None]:
    """The night whose model stands before this one, and a sentence where it is not the one that was promoted last.

    That night's folder may be gone; evaluate has then scored the one that stood before it, or none.
    """
    previous, model = work.inputs.get("previous"), work.inputs.get("champion")
    promised = previous.json("decision.json")["champion"] if previous else None
    if promised is None or (scored and not model):
        return promised, None
    night = model.manifest.date if model else None
    return night, None if night == promised else gone_champion(promised, night)

"""The select stage: keep the rows that are worth training on, and say what that did to the keys.

For policies of keys: one aggregate over the keys, one pass over the rows that filters them where they lie.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core import seeds
from lsml_spark.core.config import Strict, component
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.variables import masked
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.select import budget as budgets
from lsml_spark.select import knowledge, listed, summary
from lsml_spark.select.apply import Groups, Rated, by_key, uniform
from lsml_spark.select.budget import Speed
from lsml_spark.select.curriculum import Curriculum
from lsml_spark.select.pilot import read_pilot
from lsml_spark.select.policies.of_rows import COPIES, RowPolicy
from lsml_spark.select.policies.policy import Policy, Spectrum, effective_sample_size
from lsml_spark.select.policies.protect import Protecting
from lsml_spark.select.redraw import ONCE, redrawn
from lsml_spark.spark import tables
from lsml_spark.spark.session import session

LEAST_ESS = 0.3  # of the rows kept
NAMED = 50  # keys that lost the most rows
NOT_COUNTED = "key not in the sample"  # as zipf's ledger says it


def _readable(budget: float | str) -> float | str:
    budgets.parse(budget)
    return budget


class Config(Strict):
    """`policy`: how many rows of each key are kept. `budget`: a share of the rows (≤ 1), a number of rows, or
    a time ("90min", "2h on 8 workers").

    `weights`: whether the loss is to stay that of all rows. `curriculum`: the order in which keys enter
    training. `redraws`: so many draws are written, and every epoch reads the next of them, so that rows of
    frequent keys take turns.
    """

    policy: component(Policy, "lsml_spark.select.policies")  # type: ignore[valid-type]
    budget: Annotated[float | str, AfterValidator(_readable)]
    weights: bool = True
    curriculum: Curriculum | None = None
    redraws: int = Field(1, ge=1, le=100)

    @property
    def needs(self) -> frozenset[str]:
        """Of earlier nights: `previous`, `scores`, `pilot` (see Policy.needs), `speed` (of the last
        training).
        """
        timed = {"speed"} if isinstance(self.budget, str) else set()
        return self.policy.needs | timed | (self.curriculum.needs if self.curriculum else frozenset())


@dataclass(frozen=True)
class Selection:
    """What is to be drawn: `frame` has the rows with `keep_rate`, `weight` and FREQUENCY (see `Rated`).

    `rows_S`: rows of `frame` by groups of equal rates, `rates_S`: the rate of each. The rest is of policies
    of keys.
    """

    frame: DataFrame
    rows_S: np.ndarray
    rates_S: np.ndarray
    spectrum: Spectrum | None = None
    rated: Rated | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Inputs `prepare` (train), `zipf` (counts), and what `config.needs` of earlier nights, where there is
    such.

    Writes `train` with `weight` and `keep_rate`, and `selection.json`.
    """
    spark = spark or session()
    _refuse_contradictions(config)
    if NOT_COUNTED in work.inputs["zipf"].manifest.ledger.dropped:
        raise ConfigError(
            "select needs the counts of every key, and zipf counted a sample of them; set zipf.exact to true"
        )
    available = work.inputs["prepare"].manifest.tables["train"].rows
    if not available:
        raise ConfigError("select: the training window has no samples")
    budget = budgets.rows(budgets.parse(config.budget), available, _speed(work.inputs.get("speed")))
    with ExitStack() as at_hand:
        return _selected(spark, work, config, budget, available, at_hand)


def _selected(
    spark: SparkSession, work: Work, config: Config, budget: float, available: int, at_hand: ExitStack
) -> Outcome:
    train = tables.read(spark, work.inputs["prepare"], table="train")
    counts = tables.read(spark, work.inputs["zipf"], table="counts")
    columns = check(config, train.columns)
    if isinstance(config.policy, RowPolicy):
        chosen = _of_rows(config, config.policy, train, knowledge.scores_of(spark, work.inputs), budget)
    else:
        chosen = _of_keys(work, config, train, _known(spark, work, counts, at_hand), budget)
    if config.weights and not _merges(config.policy):
        _refuse_large_weights(config, chosen)

    spread = config.policy.spread(budget / available) or (config.curriculum and config.curriculum.spread())
    draw, once = uniform("sample_id", seeds.derive(work.seed, "select", work.date)), None
    if config.redraws == 1:
        drawn = chosen.frame.where(draw < F.col("keep_rate"))
    else:
        drawn, once = redrawn(chosen.frame, draw, config.redraws)
        spread = {"use": "turns", "draws": config.redraws}
    named = [key for key, _ in chosen.rated.heaviest] if chosen.rated else []
    written = tables.write(drawn, work.folder, {"train": columns}, tally=once, watch=summary.watch(named))
    table, tally = written.tables["train"], summary.combined(written.seen)

    kept = tables.read_written(spark, work.folder, table)
    by_frequency, lost = _what_became_of(chosen, tally, kept, counts, config.redraws)
    selection = {
        "policy": masked(config.policy.model_dump(mode="json")),
        "budget": round(budget, 3),
        "budget_asked": str(config.budget),
        "unbiased": config.policy.claim(config.weights),
        "rows_in": available,
        "rows_kept": round(table.rows / config.redraws),
        "expected": round(float((chosen.rates_S * chosen.rows_S).sum()), 3),
        "ess": round(tally.ess / config.redraws, 3),
        "level": _level(by_frequency),
        "epochs": spread,
    } | chosen.facts
    details = {"weights": tally.histogram, "dropped_keys": lost, "by_frequency": by_frequency}
    file = write_json(work.folder, "selection.json", selection | details)
    distinct = written.tally.get(ONCE, 0) if config.redraws > 1 else table.rows
    failed = None
    if not table.rows:
        kept_none = (
            f"select: none of the {available:,} training rows was kept (budget {config.budget}: "
            f"{budget:.3g} rows)"
        )
        failed = f"{kept_none}; with so few rows take a larger budget, or widen `window`"
    return Outcome(
        _ledger(config, chosen, available, table.rows, distinct),
        written.tables,
        [file],
        selection,
        failed=failed,
    )


def _known(
    spark: SparkSession, work: Work, counts: DataFrame, at_hand: ExitStack
) -> tuple[DataFrame, float | None]:
    """The keys with what earlier nights know of them, and the average recall. Joins of keys are made once and
    kept at hand.
    """
    keys, average = counts.select("key", "count"), None
    if "previous" in work.inputs:
        keys = knowledge.with_new(keys, work.inputs["previous"])
    scores = knowledge.scores_of(spark, work.inputs)
    if scores is not None:
        keys, average = knowledge.with_recall(keys, scores)
    if len(keys.columns) > 2:
        keys = keys.persist()
        at_hand.callback(keys.unpersist)
    return keys, average


def _of_keys(
    work: Work, config: Config, train: DataFrame, known: tuple[DataFrame, float | None], budget: float
) -> Selection:
    keys, average = known
    groups = Groups.of(keys)
    pilot = read_pilot(work.inputs.get("pilot"))
    recall_S = groups.column("recall")
    spectrum = Spectrum(
        frequency=np.asarray(groups.column("count"), dtype=np.int64),
        keys=groups.keys_S,
        new=groups.column("new"),
        recall=recall_S / knowledge.STEPS if recall_S is not None else None,
        average_recall=average,
        pilot=pilot.learnt if pilot else None,
    )
    rates_S = config.policy.keep_rates(spectrum, budget)
    _refuse_nonsense(config.policy, rates_S, spectrum.rows, "keys")
    reasons = config.policy.reasons(spectrum) if isinstance(config.policy, Protecting) else {}
    below = listed.coarse_below(spectrum)
    fixed_S = np.logical_or.reduce([*reasons.values(), np.zeros(len(rates_S), bool)])
    rates_S = listed.coarse(rates_S, spectrum, below, fixed_S) if below else rates_S
    if config.policy.spread(budget / spectrum.rows.sum()):
        rates_S = np.ones(len(rates_S))  # the epochs draw, not this stage
    columns = {"keep_rate": rates_S}
    if config.curriculum:
        columns["pace"] = listed.alike(config.curriculum.paces(spectrum, rates_S), spectrum, below)
    rated = by_key(train, groups, columns, spectrum, NAMED)
    weight = 1 / F.col("keep_rate") if config.weights else F.lit(1.0)
    facts = {
        "protected": {
            reason: {"keys": int(spectrum.keys[m].sum()), "rows": int(spectrum.rows[m].sum())}
            for reason, m in reasons.items()
        },
        "coarse_below": below or None,
        "pilot": pilot.facts if pilot else None,
    }
    return Selection(rated.frame.withColumn("weight", weight), spectrum.rows, rates_S, spectrum, rated, facts)


def _of_rows(
    config: Config, policy: RowPolicy, train: DataFrame, scores: DataFrame | None, budget: float
) -> Selection:
    rated = policy.rated(train, scores, budget)
    _refuse_nonsense(policy, rated.rates_S, rated.rows_S, "rows")
    required = {*train.columns, "keep_rate", *policy.adds, *([COPIES] if policy.merges else [])}
    if lacking := sorted(required - set(rated.frame.columns)):
        raise ConfigError(f"select.policy: '{policy.use}' gives rows without the column '{lacking[0]}'")
    copies = F.col(COPIES) if policy.merges else F.lit(1.0)
    weight = copies / F.col("keep_rate") if config.weights else F.lit(1.0)
    frame = rated.frame.withColumns({"weight": weight, summary.FREQUENCY: F.lit(None).cast("long")})
    return Selection(frame, rated.rows_S, rated.rates_S)


def _refuse_nonsense(policy: Policy, rates_S: np.ndarray, rows_S: np.ndarray, of: str) -> None:
    if rates_S.shape != rows_S.shape or not ((rates_S >= 0) & (rates_S <= 1)).all():
        raise ConfigError(
            f"select.policy: '{policy.use}' gives keep rates that are not one number in [0, 1] per group of "
            f"{of}"
        )


def _merges(policy: Policy) -> bool:
    return isinstance(policy, RowPolicy) and policy.merges


def check(config: Config, names: list[str]) -> list[str]:
    """The columns that the selected samples have, of those of prepare; ConfigError where the section
    contradicts itself or them.
    """
    _refuse_contradictions(config)
    if taken := [name for name in _adds(config) if name in names]:
        raise ConfigError(
            f"select: adds a column '{taken[0]}' of its own; give that of prepare.sql another name"
        )
    return [*names, "weight", "keep_rate", *_adds(config)]


def _adds(config: Config) -> list[str]:
    """Columns beside `weight` and `keep_rate`."""
    return [*(["pace"] if config.curriculum or config.redraws > 1 else []), *config.policy.adds]


def _refuse_contradictions(config: Config) -> None:
    policy, of_rows = config.policy, isinstance(config.policy, RowPolicy)
    if why := policy.refuses(config.weights):
        raise ConfigError(f"select: {why}")
    if not of_rows and getattr(policy, "unit", "key") != "key":  # as policies of rows once said it
        raise ConfigError(
            f"select.policy: '{policy.use}' is one of rows; derive it from RowPolicy "
            "(select/policies/of_rows.py)"
        )
    if config.redraws > 1 and (of_rows or policy.spread(0.5) or config.curriculum):
        other = "the curriculum" if config.curriculum else f"'{policy.use}'"
        raise ConfigError(f"select.redraws: does not go with {other}; leave one of them out")
    if config.curriculum and (of_rows or policy.spread(0.5)):
        raise ConfigError(
            f"select.curriculum: is an order of keys, and '{policy.use}' does not select by them; take zipf, "
            "for example"
        )


def _refuse_large_weights(config: Config, chosen: Selection) -> None:
    """With a few huge weights the loss of an epoch hangs on a few rows: most of the budget would be spent for
    nothing.
    """
    kept = chosen.rates_S * chosen.rows_S
    drawn = chosen.rates_S > 0
    if not drawn.any():
        return
    share = effective_sample_size(1 / chosen.rates_S[drawn], kept[drawn]) / kept.sum()
    if share < LEAST_ESS:
        raise ConfigError(
            f"select: the weights of '{config.policy.use}' at this budget leave an effective sample size of "
            f"{share:.2f} of the rows kept, "
            f"below {LEAST_ESS}; say weights: false, take the policy mixed, or a larger budget"
        )


def _what_became_of(
    chosen: Selection, tally: summary.Tally, kept: DataFrame, counts: DataFrame, draws: int
) -> tuple[list[list], list[list]]:
    """[frequency, rows, kept, keep rate] of all frequencies, [key, rows, kept] of the keys that lost most;
    kept in a draw, on average.
    """
    rated, spectrum = chosen.rated, chosen.spectrum
    # of keys that are not listed every row was kept
    if rated and spectrum and (chosen.rates_S[~rated.listed_S] == 1).all():
        lost = [[key, count, round(tally.keys[key] / draws)] for key, count in rated.heaviest]
        kept_by_frequency = {f: round(n / draws) for f, n in tally.frequencies.items()}
        for f, n in zip(
            spectrum.frequency[~rated.listed_S].tolist(), spectrum.rows[~rated.listed_S].tolist(), strict=True
        ):
            kept_by_frequency[f] = kept_by_frequency.get(f, 0) + n
    else:
        by_count, lost = summary.recount(kept, counts, NAMED)
        kept_by_frequency = {f: round(n / draws) for f, n in by_count.items()}
        lost = [[key, count, round(n / draws)] for key, count, n in lost]
    all_of: dict[int, int] = {}
    for row in counts.groupBy("count").agg(F.count(F.lit(1)).alias("keys")).collect() if not rated else []:
        all_of[row["count"]] = row["count"] * row["keys"]
    expected: dict[int, float] = {}
    if spectrum:
        for f, n, rate in zip(
            spectrum.frequency.tolist(), spectrum.rows.tolist(), chosen.rates_S.tolist(), strict=True
        ):
            all_of[f] = all_of.get(f, 0) + n
            expected[f] = expected.get(f, 0.0) + n * rate
    return [
        [f, n, kept_by_frequency.get(f, 0), round(expected.get(f, kept_by_frequency.get(f, 0)) / n, 9)]
        for f, n in sorted(all_of.items())
    ], lost


def _level(by_frequency: list[list]) -> int:
    """Keys seen at most this often are kept whole."""
    level = 0
    for frequency, _, _, rate in by_frequency:
        if rate < 1:
            break
        level = frequency
    return level


def _ledger(config: Config, chosen: Selection, available: int, written: int, kept: int) -> Ledger:
    """`kept`: distinct rows among those written."""
    dropped = {}
    if _merges(config.policy):
        distinct = int(chosen.rows_S.sum())
        dropped["equal to another row"] = available - distinct
        dropped[f"not selected by {config.policy.use}"] = distinct - kept
    else:
        dropped[f"not selected by {config.policy.use}"] = available - kept
    added = {"drawn again for another epoch": written - kept} if written > kept else {}
    return Ledger(available, written, dropped=dropped, added=added)


def _speed(train: Source | None) -> Speed | None:
    return Speed.of(train.manifest.run, train.manifest.settings, train.manifest.metrics) if train else None

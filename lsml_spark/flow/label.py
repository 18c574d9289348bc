"""`lsml label`: the queue of rows to be labelled next, beside the stages of a night."""

import datetime

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.work import Source
from lsml_spark.flow.history import History
from lsml_spark.flow.night import run_stage
from lsml_spark.flow.produce import Night, produce, refuse_failed


def run(night: Night, rows: int, spread: int) -> Source:
    """The folder `label` of a night: prepare's rows without a label, scored by the model that stands after
    it.
    """
    from lsml_spark.label import run as label

    config = validate(label.Config, {"rows": rows, "spread": spread}, "lsml label")
    champion = History(night.runs, night.date + datetime.timedelta(days=1)).standing.model
    if champion is None:
        raise ConfigError(
            f"{night.date}: no model has been promoted yet that could be unsure of rows; run the night first"
        )
    night.pipeline.import_named()
    for stage in ("quality", "prepare"):
        source, _ = run_stage(night, stage)
        refuse_failed(night, source)
    made, _ = produce(
        night,
        "label",
        {"prepare": source, "champion": champion},
        (),
        config.model_dump(mode="json"),
        lambda work: label.run(work, config),
    )
    return made

"""Frames of many columns go to Python as one struct: the same rows, files and reports as column by column."""

from lsml_spark.spark import in_arrow, tables

COLUMNS = ["id AS `a.b`", "cast(id AS string) AS `c d`", "array(id) AS l", "named_struct('x', id) AS s"]


def test_many_columns_are_written_and_watched_as_few_are(spark, tmp_path, monkeypatch):
    class Names:  # here, so that it travels to the workers as it is
        def __init__(self):
            self.found = []

        def add(self, batch):
            self.found.append((batch.schema.names, batch.num_rows))

        def finish(self):
            return repr(self.found).encode()

    frame = spark.range(0, 20, 1, 1).selectExpr(*COLUMNS)
    watch = tables.Watch(["a.b", "l"], Names)
    found = []
    for wide in (1000, 1):
        monkeypatch.setattr(in_arrow, "WIDE", wide)
        folder = tmp_path / str(wide)
        written = tables.write(frame, folder, {"all": frame.columns}, watch=watch)
        rows = sorted(map(repr, tables.read_written(spark, folder, written.tables["all"]).collect()))
        found.append((rows, written.tables["all"].rows_hash, written.seen, tables.look(frame, watch)))
    assert found[0] == found[1]
    assert len(found[0][0]) == 20

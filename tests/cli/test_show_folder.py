"""`lsml show` takes a folder of plain Parquet, too."""

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from lsml_spark.cli.main import app


def test_the_rows_of_a_folder_come_file_by_file(tmp_path):
    for name, values in (("b.parquet", [3, 4]), ("a.parquet", [1, 2]), ("_hidden.parquet", [9])):
        pq.write_table(pa.table({"n": values}), tmp_path / name)
    (tmp_path / "notes.txt").write_text("not data")
    shown = CliRunner().invoke(app, ["show", str(tmp_path), "--rows", "3"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.split() == ["n", "1", "n", "2", "n", "3"]


def test_a_folder_without_parquet_is_refused(tmp_path):
    shown = CliRunner().invoke(app, ["show", str(tmp_path)])
    assert shown.exit_code == 2
    assert "holds no file that ends in .parquet" in shown.output

"""Folders written under several contracts are read as one table, by the names of their columns."""

import pytest

from lsml_spark.core.errors import IntegrityError
from lsml_spark.spark import tables

pytestmark = pytest.mark.spark


def test_columns_are_those_of_the_last_folder_and_null_where_a_folder_lacks_them(spark, module_night):
    old = module_night.on("2011-01-30").source(
        "quality", clean=spark.createDataFrame([(1, "7", "x")], "id int, price string, gone string")
    )
    odd = module_night.on("2011-01-31").source(
        "quality", clean=spark.createDataFrame([("dear", 2)], "price string, id int")
    )
    new = module_night.on("2011-02-01").source(
        "quality", clean=spark.createDataFrame([(3, 9, "red")], "id int, price int, colour string")
    )
    frame = tables.read(spark, old, odd, new, table="clean")
    assert frame.columns == list(new.manifest.tables["clean"].columns)
    rows = sorted((row.id, row.price, row.colour) for row in frame.select("id", "price", "colour").collect())
    assert rows == [(1, 7, None), (2, None, None), (3, 9, "red")]
    alone = tables.read(spark, old, table="clean", like=new).collect()
    assert [(row.id, row.price, row.colour) for row in alone] == [(1, 7, None)]
    (path,) = old.files("clean")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=rf"{path.name}: damaged \(it has .* bytes"):
        tables.read(spark, old, new, table="clean")
    path.unlink()
    with pytest.raises(IntegrityError, match="it is not there"):
        tables.read(spark, old, new, table="clean")

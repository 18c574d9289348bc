"""`lsml show`: the rows of a shard, its bytes decoded."""

from pathlib import Path
from typing import Annotated

import typer

from lsml_spark.flow import screens
from lsml_spark.flow.guard import guarded
from lsml_spark.shard import show as words


def show(
    shard: Annotated[
        Path,
        typer.Argument(
            help="A Parquet file that the shard stage wrote, or any other, or a folder of them.",
            show_default=False,
        ),
    ],
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many.")] = 5,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Only these, separated by commas.", show_default=False)
    ] = None,
) -> None:
    """Show the first rows of a shard: lists and tensors by their shape and first values, records as their
    columns.
    """
    with guarded():
        console = screens.console()
        names = [name.strip() for name in columns.split(",")] if columns else []
        for i, row in enumerate(words.rows(shard, rows, names)):
            if i:
                console.print()
            width = max(map(len, row), default=0)
            for name, value in row.items():
                console.print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)

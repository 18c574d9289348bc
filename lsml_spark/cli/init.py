"""`lsml init`: a pipeline's YAML to begin with, from a look at raw days or from the example that is
shipped.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lsml_spark.core.command import command_line
from lsml_spark.core.errors import ConfigError
from lsml_spark.flow import checked, draft, example, log
from lsml_spark.flow.days import days_of, name_of
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.pipeline import Pipeline

LOOK = 20  # days are looked at, the latest


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="The folder of raw days: CSV, JSON lines or Parquet with the day in the name of the file or "
            "its folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write the YAML here. Else pipelines/<folder's name>.yaml.", show_default=False
        ),
    ] = None,
    shipped: Annotated[
        bool,
        typer.Option("--example", help="Write the example that is shipped, with its data, into pipelines/."),
    ] = False,
) -> None:
    """Write a commented pipeline to begin with, from a look at your raw days; it runs as it is."""
    with guarded():
        log.to_console()
        if shipped:
            if folder is not None:
                raise ConfigError(f"--example brings its own data: leave out {folder}")
            path = example.write(out or Path("pipelines", example.YAML))
            last = example.NIGHT
        elif folder is None:
            raise ConfigError(
                "say where your raw days lie: `lsml init FOLDER`; or look at the example first: `lsml init "
                "--example`"
            )
        else:
            path, last = _from_data(folder, out)
        print(f"{path} is written: read it, then")
        print(f"    {command_line('run', path, '--date', last)}")


def _from_data(folder: Path, out: Path | None) -> tuple[Path, str]:
    """The path of the new YAML, and the last of the days."""
    name = name_of(folder)
    path = out or Path("pipelines", f"{name}.yaml")
    if path.exists():
        raise ConfigError(f"{path} exists already; name another file with --out")
    if not next(parent for parent in path.absolute().parents if parent.exists()).is_dir():
        raise ConfigError(
            f"{path}: its folder cannot be made, for a file is in its place; name another with --out"
        )
    from lsml_spark.quality.suggest import SUFFIXES, suggest
    from lsml_spark.spark.session import session

    named = _folder_in_yaml(folder, path)
    days = days_of(folder.resolve(), SUFFIXES)  # Spark may have another current folder
    looked = [file for date in sorted(days.files)[-LOOK:] for file in days.files[date]]
    sections = sections_of(suggest(session(), looked))
    values: dict[str, Any] = yaml.safe_load("\n".join(sections.values()))
    first, *notes = sections[""].splitlines()
    rows = re.search(r"from ([\d,]+ rows)", first)
    form = [
        line
        for line in sections.get("raw", "").splitlines()[1:]
        if line.strip() and not re.match(r"  (folder|files):", line)
    ]
    text = draft.text(
        name,
        named,
        days,
        sections["quality"],
        values["quality"],
        form,
        rows.group(1) if rows else "the rows",
        notes,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    try:
        made = Pipeline(path)
        checked.analyse(made, checked.sections(made, ("quality", "prepare")))
    except ConfigError as error:
        path.unlink()
        begin = shlex.join(["lsml", "quality", "suggest", str(folder)])
        raise ConfigError(f"a draft from these days would not run ({error}); begin with `{begin}`") from error
    return path, max(days.files)


def sections_of(text: str) -> dict[str, str]:
    """Top-level sections of a YAML text by name, comments and all; what stands before the first one has the
    name ''.
    """
    sections: dict[str, str] = {"": ""}
    name = ""
    for line in text.splitlines(keepends=True):
        if begins := re.match(r"(\w+):", line):
            name = begins.group(1)
        sections[name] = sections.get(name, "") + line
    return sections


def _folder_in_yaml(folder: Path, path: Path) -> str:
    """Relative to the YAML where both lie below the current folder, so that they can move together."""
    whole, here = folder.resolve(), Path.cwd().resolve()
    if "{{" in str(whole) or "${" in str(whole):
        raise ConfigError(f"{whole}: '{{{{' and '${{' in a path are templates in the YAML; rename the folder")
    if whole.is_relative_to(here) and path.resolve().is_relative_to(here):
        return Path(os.path.relpath(whole, path.resolve().parent)).as_posix()
    return whole.as_posix()

"""`${VARIABLE}` and `{{ date }}` in a pipeline's YAML; what came out of the environment is a secret and is
never written down.

Wherever we write, the value of a variable is replaced by `${VARIABLE}`, as the YAML has it: configs in
manifests, findings, pages, log lines, errors. A default (`${VARIABLE:-default}`) stands in the YAML for all
to see and is no secret. Neither is a value of fewer than four characters, nor a number of fewer than six:
they would be guessed, and stand in any text by chance.
"""

import hashlib
import html
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.words import did_you_mean

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
# characters of a secret, of one that is a number, of a line of a longer one
SHORTEST, SHORTEST_NUMBER, SHORTEST_LINE = 4, 6, 8
KEY = ".variables.key"  # beside the nights of a pipeline, readable for its owner alone
ROUNDS = 200_000  # of a digest: who gets hold of the key still has to pay for each guess

_secrets: dict[str, str] = {}  # name → value, of the pipeline that was read last


def learn(sections: Any) -> None:
    """Which variables the unrendered sections of a pipeline use: their values are masked from now on, no
    others are.

    The value of a `use:` names a class and is none of them.
    """
    _secrets.clear()
    _secrets.update(
        {name: value for name in _named(sections) if _is_secret(value := os.environ.get(name, ""))}
    )
    _pattern.cache_clear()


def _named(section: Any) -> Iterator[str]:
    if isinstance(section, Mapping):
        for key, item in section.items():
            if key != "use":
                yield from _named(item)
    elif isinstance(section, list):
        for item in section:
            yield from _named(item)
    elif isinstance(section, str):
        yield from (name for name, _ in VARIABLE.findall(section))


def render(value: Any, **names: str) -> Any:
    """Replace `${VARIABLE}` and then `{{ name }}` in every string of a nested value."""
    return _each(value, lambda text: _templates(VARIABLE.sub(_from_environment, text), names))


def fill_variables(value: Any) -> Any:
    """Replace `${VARIABLE}` alone; `{{ name }}` is left for later."""
    return _each(value, lambda text: VARIABLE.sub(_from_environment, text))


def filled(value: Any) -> Any:
    """A masked value with what its variables are now; a variable that is not set any more stays as it is
    written.
    """
    return _each(value, lambda text: VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text))


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A nested value with every string in it changed."""
    if isinstance(value, Mapping):
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _templates(text: str, names: Mapping[str, str]) -> str:
    def template(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            raise ConfigError(f"'{{{{ {name} }}}}' is unknown{did_you_mean(name, list(names))}")
        return names[name]

    return TEMPLATE.sub(template, text)


def _from_environment(match: re.Match[str]) -> str:
    name, default = match.groups()
    value: str | None = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # as Python takes in what it cannot decode
        raise ConfigError(f"environment variable {name} holds bytes that are no UTF-8")
    return value


def _is_secret(value: str) -> bool:
    value = value.strip()
    if value.lower() in ("true", "false", "null", "none"):
        return False
    return len(value) >= (SHORTEST if _number(value) is None else SHORTEST_NUMBER)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _forms(value: str) -> Iterator[str]:
    """The texts that a value may become on its way into a message or a page."""
    yield from (
        value,
        value.strip(),
        " ".join(value.split()),
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        html.escape(value),
    )
    yield from (
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value),
        quote(value, safe=""),
        value.replace("'", "''"),
    )
    yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE)
    if (number := _number(value)) is not None:
        plain = int(number) if number == int(number) else number
        yield from (str(number), str(plain), f"{number:g}", f"{plain:,}")


@lru_cache(maxsize=1)
def _pattern() -> tuple[re.Pattern[str], dict[str, str]] | None:
    """One expression for all forms of all secrets, the longest first; and the name of each form."""
    names = {
        form.lower(): name
        for name, value in _secrets.items()
        for form in _forms(value)
        if len(form) >= SHORTEST
    }
    if not names:
        return None
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))), re.IGNORECASE), names


def mask(text: str) -> str:
    """The text with `${VARIABLE}` where a variable's value stands."""
    known = _pattern()
    if known is None:
        return text
    pattern, names = known
    return pattern.sub(lambda match: f"${{{names.get(match[0].lower(), '…')}}}", text)


def masked(value: Any) -> Any:
    """A nested value with every string in it masked, and every number that is a variable's value."""
    if _pattern() is None:
        return value
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        for name, secret in _secrets.items():
            if _number(secret) == value:
                return f"${{{name}}}"
    return value


def secrets_of(section: Any) -> list[str]:
    """Names of the variables of an unrendered section that are masked, in order."""
    return sorted({name for name in _named(section) if name in _secrets})


def digests(names: list[str], folder: Path) -> dict[str, str]:
    """Keyed digests of variables' values: they change with the value, and say nothing about it to those
    without the key.
    """
    if not names:
        return {}
    key = _key(folder)
    return {name: _digest(key, name, _secrets[name]) for name in names}


@lru_cache(maxsize=64)
def _digest(key: bytes, name: str, value: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", value.encode(), key + name.encode(), ROUNDS).hex()


def _key(folder: Path) -> bytes:
    """The key of a pipeline's folder, made where there is none; another run may make it at the same time."""
    path = folder / KEY
    for _ in range(2):
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"{KEY}.{os.getpid()}"
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(partial, path)  # whoever is first wins
            except FileExistsError:
                pass
            finally:
                partial.unlink()
            continue
        if len(key) == 32:
            return key
        break
    raise ConfigError(
        f"{path}: is not the key that was written; delete it, and nights whose YAML uses variables run again"
    )

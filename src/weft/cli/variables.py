"""The values of ``--var``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from weft.core.errors import InputError

_MAX_BYTES = 10 * 1024 * 1024


def variables(given: Iterable[str]) -> dict[str, str]:
    """``name=value`` texts as a mapping; the last one wins. ``name=@file`` is the text of a file, ``name=@@x`` is ``@x``.

    Raises:
        InputError: one has no name, or its file cannot be read, is too large or is not UTF-8.
    """
    values = {}
    for text in given:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not name:
            raise InputError(f"--var {text!r} is not name=value", fix="write --var name=value, or --var name=@file")
        if value.startswith("@@"):
            values[name] = value[1:]
        else:
            values[name] = _content(name, Path(value[1:])) if value.startswith("@") else value
    return values


def required(missing: Mapping[str, str]) -> InputError:
    """The error for required inputs that nobody gave and nobody can be asked for."""
    names = ", ".join(missing)
    return InputError(
        f"cannot ask for {names}: standard input is no terminal",
        fix="give them: " + " ".join(f"--var {name}=…" for name in missing),
    )


def _content(name: str, file: Path) -> str:
    try:
        with file.open("rb") as source:
            data = source.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise InputError(f"--var {name}: {file} has more than {_MAX_BYTES:,} bytes", fix="give a smaller file")
        return data.decode()
    except OSError as error:
        raise InputError(
            f"--var {name}: cannot read {file}: {error.strerror or error}", fix="give the path of a readable file"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"--var {name}: {file} is not UTF-8 text", fix="convert it to UTF-8") from error

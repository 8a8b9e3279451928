"""Settings: environment over ``weft.toml`` over defaults; with none of them, everything works.

`load_settings` reads them, `explain` says where each one comes from. Importing this module is slow (pydantic-settings),
so commands that only look at files do without it.
"""

from __future__ import annotations

import hmac
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from weft.core.errors import InputError, Place, Problem
from weft.core.setting_kinds import Group, absolute
from weft.core.settings_model import PREFIX, Settings, default_home

__all__ = ["SettingRow", "Settings", "explain", "fingerprints", "load_settings", "variable"]

FILE_NAME = "weft.toml"
_MAX_FILE_BYTES = 1_048_576
_MASK = "********"
_SECTION = re.compile(r"""\s*\[\s*([\w.\-"' ]+?)\s*\]""")
_KEY = re.compile(r"""\s*([\w.\-"']+)\s*=""")
_NAMES = [
    f"{name}.{inner}" if isinstance(info.default, Group) else name
    for name, info in Settings.model_fields.items()
    for inner in (type(info.default).model_fields if isinstance(info.default, Group) else [""])
]
_HIDDEN = frozenset(
    {"telemetry.headers", "encryption", "encryption.key", "encryption.older"}
    | {
        f"{name}.{inner}" if inner else name
        for name, top in Settings.model_fields.items()
        for inner, info in (type(top.default).model_fields if isinstance(top.default, Group) else {"": top}).items()
        if "SecretStr" in str(info.annotation)
    }
)
"""What was given for these is never repeated: it may be a secret, if only by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting for people: `value` is JSON with secrets masked, `source` a variable, ``file:line`` or ``default``."""

    name: str
    value: Any
    source: str
    variable: str
    description: str


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that some source gave."""

    value: Any
    label: str
    place: Place


def load_settings(folder: Path | None = None) -> Settings:
    """The settings of this process: ``WEFT_…`` over ``folder/weft.toml`` over ``WEFT_HOME/weft.toml`` over defaults.

    Args:
        folder: Where the first file is looked for; the current folder by default.

    Raises:
        InputError: values are wrong or keys unknown; the message names all of them, `place` is that of the first.
    """
    problems: list[Problem] = []
    try:
        given = _from_environment(problems)
        local = (folder or Path.cwd()) / FILE_NAME
        given = _from_file(local, problems) | given
        shared = _home_of(given) / FILE_NAME
        if shared != local.absolute():
            given = _from_file(shared, problems, is_home=True) | given
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the settings cannot be read: {error}", fix=f"set {PREFIX}HOME to a folder of yours"
        ) from error
    settings = _build(given, problems)
    if problems or settings is None:
        raise _refusal(problems)
    return settings.with_sources({name: one.label for name, one in given.items()})


def explain(settings: Settings) -> list[SettingRow]:
    """Every setting with its value and where it comes from, in the order of the documentation."""
    return [
        SettingRow(
            name=name,
            value=_shown(value),
            source=settings.sources.get(name, "default"),
            variable=variable(name),
            description=info.description or "",
        )
        for name, info, value in _walk(settings)
    ]


def fingerprints(settings: Settings, key: bytes) -> dict[str, str]:
    """A hash of each setting's value under `key`, by name: it tells whether a value is another one, and nothing of what it is."""
    return {
        name: hmac.new(key, repr(_bare(value)).encode(errors="replace"), "sha256").hexdigest()[:32]
        for name, _, value in _walk(settings)
    }


def variable(name: str) -> str:
    """The environment variable of the setting `name`: ``net.timeout_s`` is ``WEFT_NET__TIMEOUT_S``."""
    return PREFIX + name.replace(".", "__").upper()


def _walk(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, Group):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield prefix + name, info, value


def _bare(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _bare(value[key]) for key in sorted(value)}
    return [_bare(item) for item in value] if isinstance(value, tuple | list) else str(value)


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str) and "@" in value:
        return re.sub(r"(?<=://)[^/@]*(?=@)", _MASK, value)
    return value


def _home_of(given: Mapping[str, _Given]) -> Path:
    try:
        return absolute(Path(str(given["home"].value))) if "home" in given else default_home()
    except ValueError:
        return default_home()  # the check of all values will refuse it, with its place


def _from_environment(problems: list[Problem]) -> dict[str, _Given]:
    present = {name.upper(): name for name in os.environ if name.upper().startswith(PREFIX)}
    known = {variable(name) for name in _NAMES}
    tops = {variable(name) for name in Settings.model_fields}
    for name in sorted(present.keys() - known - tops):
        # A variable of another program may begin with our prefix too: only what looks like a slip is refused.
        near = get_close_matches(name, [*known, *tops], 1, 0.85)
        if near and not any(name.startswith(f"{top}__") for top in tops):
            problems.append(
                Problem(rule="unknown-key", message=f"{name} is no setting", fix=f"did you mean {near[0]}?")
            )
    try:
        values = EnvSettingsSource(Settings)()
    except SettingsError as error:
        problems.append(Problem(rule="wrong-value", message=str(error), fix="give the variable's value as JSON"))
        return {}
    flat = {}
    for name, value in _flatten(values):
        top = variable(name.partition(".")[0])
        label = variable(name) if variable(name) in present or top not in present else top
        flat[name] = _Given(value, label, Place())
    return flat


def _from_file(file: Path, problems: list[Problem], *, is_home: bool = False) -> dict[str, _Given]:
    if not file.is_file():
        return {}
    if file.stat().st_size > _MAX_FILE_BYTES:
        problems.append(
            Problem(
                rule="too-large", message=f"{file}: more than {_MAX_FILE_BYTES:,} bytes", place=Place(file=str(file))
            )
        )
        return {}
    text = file.read_bytes().decode(errors="replace")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        spot = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        end = Place(file=str(file), line=len(text.splitlines()))
        place = Place(file=str(file), line=int(spot[1]), column=int(spot[2])) if spot else end
        problems.append(Problem(rule="syntax", message=f"{file}: not TOML: {error}", place=place))
        return {}
    lines = _lines(text)
    flat = {}
    for name, value in _flatten(values):
        line = lines.get(name) or lines.get(name.partition(".")[0])
        place = Place(file=str(file), line=line, pointer="/" + name.replace(".", "/"))
        flat[name] = _Given(value, f"{file}:{line}" if line else str(file), place)
    if is_home and (home := flat.pop("home", None)):
        fix = f"set {PREFIX}HOME, or `home` in the {FILE_NAME} of the working folder"
        problems.append(
            Problem(rule="wrong-place", message=f"{home.label}: a home cannot move itself", fix=fix, place=home.place)
        )
    return flat


def _lines(text: str) -> dict[str, int]:
    """The line of each section and key, found by their look; TOML's parser keeps no positions."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _SECTION.match(line):
            name = section = re.sub(r"[\s\"']", "", head[1])
        elif key := _KEY.match(line):
            name = ".".join(part for part in (section, re.sub(r"[\"']", "", key[1])) if part)
        else:
            continue
        found.setdefault(name, number)
    return found


def _flatten(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        info = Settings.model_fields.get(name)
        if info and isinstance(info.default, Group) and isinstance(value, Mapping):
            for inner, item in value.items():
                yield f"{name}.{inner}", item
        else:
            yield name, value


def _build(given: Mapping[str, _Given], problems: list[Problem]) -> Settings | None:
    nested: dict[str, Any] = {}
    for name, one in given.items():
        group, _, inner = name.partition(".")
        if not inner:
            nested[group] = one.value
        elif isinstance(held := nested.setdefault(group, {}), dict):
            held[inner] = one.value
    try:
        return Settings(**nested)
    except ValidationError as error:
        problems += [_problem(finding, given) for finding in error.errors(include_url=False, include_context=False)]
        return None


def _problem(finding: ErrorDetails, given: Mapping[str, _Given]) -> Problem:
    loc = [str(part) for part in finding["loc"]]
    name = ".".join(loc[:2]) if ".".join(loc[:2]) in given else loc[0]
    one = given.get(name, _Given(None, name, Place()))
    if finding["type"] == "extra_forbidden":
        near = get_close_matches(name, [*_NAMES, *Settings.model_fields], 1, 0.6)
        fix = f"did you mean `{near[0]}`?" if near else "`weft config` lists every setting"
        return Problem(rule="unknown-key", message=f"{one.label}: `{name}` is no setting", fix=fix, place=one.place)
    message = finding["msg"].removeprefix("Value error, ")
    got = finding["input"]
    is_plain = isinstance(got, str | int | float) and name not in _HIDDEN
    shown = f" (it is {str(_shown(got))[:60]!r})" if is_plain else ""
    return Problem(rule="wrong-value", message=f"{one.label}: `{name}`: {message}{shown}", place=one.place)


def _refusal(problems: list[Problem]) -> InputError:
    lines = [f"  {problem.message}{'; ' if problem.fix else ''}{problem.fix}" for problem in problems]
    return InputError(
        "the settings are wrong:\n" + "\n".join(lines),
        fix="correct them, or take them away; `weft config` then shows what each setting is and where it comes from",
        place=problems[0].place,
        problems=[problem.as_json() for problem in problems],
    )

"""Other files that a document names: referenced agents and JSON Schemas, pulled in so that it stands alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weft.core.errors import Problem, SpecError
from weft.spec.files import read_source
from weft.spec.model.base import Pointer
from weft.spec.suggest import did_you_mean
from weft.spec.tree import DocumentError, Source, plain_data

_ROOT_MARKS = (".git", "weft.toml", "pyproject.toml")
_LONGEST = 300
_SCHEMAS = ("input_schema", "output_schema")
_OVERRIDES = ("$ref", "tools", "provider", "model_id", "inference")


def resolve_references(data: Any, source: Source, folder: Path) -> list[Problem]:
    """Replace each agent's `$ref` and schema paths in `data` by what they point at; return what could not be.

    `folder` is where relative paths start. A path may not leave the project: the nearest folder above that holds
    ``.git``, ``weft.toml`` or ``pyproject.toml``, or else the working folder if `folder` is in it, or else `folder` itself.
    """
    agents: Any = data.get("agents") if isinstance(data, dict) else None
    problems: list[Problem] = []
    if not isinstance(agents, dict):
        return problems
    for name, agent in agents.items():
        if not isinstance(agent, dict):
            continue
        pointer = ("agents", name)
        base = folder
        resolved = agent
        if isinstance(agent.get("$ref"), str):
            problems += _wrong_overrides(agent, source, pointer)
            try:
                resolved, base = _referenced(agent, source, pointer, folder)
            except Unresolved as error:
                problems.append(error.problem)
                resolved = {"prompt": "unresolved"}
            agents[name] = resolved
        problems += _inline_schemas(resolved, source, pointer, base, bounds_of(folder))
    return problems


class Unresolved(Exception):  # noqa: N818 -- carries a problem to its list
    """A file that is named in a document cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _wrong_overrides(agent: dict[str, Any], source: Source, pointer: tuple[str, str]) -> list[Problem]:
    return [
        source.problem(
            "unknown-key",
            (*pointer, key),
            f"{key!r} cannot be changed beside $ref",
            did_you_mean(key, _OVERRIDES, noun="possible here"),
        )
        for key in agent
        if key not in _OVERRIDES
    ]


def _referenced(agent: Any, source: Source, pointer: tuple[str, str], folder: Path) -> tuple[Any, Path]:
    spot = (*pointer, "$ref")
    path = located(agent["$ref"], source, spot, folder, bounds_of(folder))
    target, data = _load(path, source, spot)
    found = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(found, dict) or len(found) != 1:
        count = len(found) if isinstance(found, dict) else 0
        message = f"{agent['$ref']!r} must hold exactly one agent, it holds {count}"
        raise Unresolved(source.problem("reference", spot, message, "refer to a file with one entry under `agents`"))
    inner_name, inner = next(iter(found.items()))
    if not isinstance(inner, dict) or "$ref" in inner:
        message = f"the agent in {agent['$ref']!r} is itself a reference"
        raise Unresolved(source.problem("reference", spot, message, "refer to the file that holds the agent"))
    source.grafts[pointer] = (target, ("agents", inner_name))
    changes = {key: value for key, value in agent.items() if key in _OVERRIDES[1:]}
    if isinstance(changes.get("inference"), dict) and isinstance(inner.get("inference"), dict):
        changes["inference"] = {**inner["inference"], **changes["inference"]}
    return {**inner, **changes}, path.parent


def _inline_schemas(
    agent: dict[str, Any], source: Source, pointer: tuple[str, str], base: Path, bounds: Path
) -> list[Problem]:
    problems = []
    for key in _SCHEMAS:
        if isinstance(agent.get(key), str):
            spot = (*pointer, key)
            try:
                path = located(agent[key], source, spot, base, bounds)
                schema = _load(path, source, spot)[1]
                if not isinstance(schema, dict):
                    message = f"{agent[key]!r} holds no JSON Schema object"
                    raise Unresolved(source.problem("reference", spot, message, "a schema is a map"))
            except Unresolved as error:
                problems.append(error.problem)
                schema = {}
            agent[key] = schema
    return problems


def located(text: str, source: Source, spot: Pointer, folder: Path, bounds: Path) -> Path:
    """The file that `text`, at `spot`, means.

    Raises:
        Unresolved: it is no relative path, or leaves `bounds`.
    """
    if len(text) > _LONGEST or Path(text).is_absolute() or "://" in text or "\x00" in text:
        message = f"{text[:_LONGEST]!r} is not a relative path"
        raise Unresolved(source.problem("reference", spot, message, "write the path relative to this file"))
    path = (folder / text).resolve()
    if not path.is_relative_to(bounds):
        message = f"{text!r} leaves the project folder {bounds}"
        raise Unresolved(
            source.problem(
                "reference", spot, message, "keep the file inside the project; an empty weft.toml marks its top folder"
            )
        )
    return path


def bounds_of(folder: Path) -> Path:
    """The folder that files named in a document must not leave."""
    here = folder.resolve()
    marked = (each for each in (here, *here.parents) if any((each / mark).exists() for mark in _ROOT_MARKS))
    working = Path.cwd()
    inside = here.is_relative_to(working) and working != working.parent
    return next(marked, working if inside else here)


def _load(path: Path, source: Source, spot: tuple[str, ...]) -> tuple[Source, Any]:
    try:
        target = read_source(path)
        return target, plain_data(target.root)
    except SpecError as error:
        message = f"{source.file} refers to a file that cannot be used: {error.message}"
        raise Unresolved(source.problem("reference", spot, message, error.fix)) from None
    except DocumentError as error:
        raise Unresolved(source.problem("reference", spot, f"{path}: {error.message}", error.fix)) from None

"""Agents that stand in files of their own: found by name, described, and checked with their examples and tests.

Such a file is a workflow with one agent. It is told apart by the label ``strands.io/agent_type: atomic``, or by lying in a folder
``agents/atomic``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.app.checks import TESTS, Case, read_cases
from weft.core.canonical import strict_loads
from weft.core.errors import InputError, NotFoundError, SpecError, WeftError
from weft.core.json_schema import problems, validator
from weft.spec.files import SUFFIXES, read_text
from weft.spec.load import load
from weft.spec.model.agents import Agent
from weft.spec.model.workflow import Workflow

LABEL = "strands.io/agent_type"
_FOLDER = ("agents", "atomic")
_FILES = 2_000
_DEPTH = 6
_SKIPPED = frozenset({"node_modules", "__pycache__", "schemas", "examples", "artifacts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile:
    """A file with one agent. `atomic` says whether it is meant to be used by itself."""

    file: Path
    workflow: Workflow
    atomic: bool

    @property
    def name(self) -> str:
        """The name of the workflow, which stands for the agent."""
        return self.workflow.name

    @property
    def input_schema(self) -> Mapping[str, Any] | None:
        """What the agent takes."""
        return _as_map(self._agent.input_schema)

    @property
    def output_schema(self) -> Mapping[str, Any] | None:
        """What the agent gives."""
        return _as_map(self._agent.output_schema)

    @property
    def _agent(self) -> Agent:
        return next(iter(self.workflow.inline_agents().values()))

    @property
    def tests(self) -> Path:
        """Where its tests are."""
        return self.file.parent / TESTS

    def as_json(self) -> dict[str, Any]:
        """The agent as plain data."""
        agent = self._agent
        return {
            "name": self.name,
            "file": str(self.file),
            "description": self.workflow.description,
            "atomic": self.atomic,
            "tools": list(agent.tools or ()),
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "examples": [str(path) for path in self.examples()],
            "tests": len(self.cases()) if self.tests.is_file() else 0,
        }

    def cases(self) -> list[Case]:
        """Its tests.

        Raises:
            SpecError: the file is wrong.
        """
        return read_cases(self.tests)

    def examples(self) -> list[Path]:
        """Inputs that show how it is used."""
        folder = self.file.parent / "examples"
        return sorted(path for path in folder.glob("*.json") if path.is_file())[:100] if folder.is_dir() else []

    def hold(self, given: Any) -> dict[str, Any]:
        """`given` as the input of the agent.

        Raises:
            InputError: it is no object, or does not fit the input schema.
        """
        if not isinstance(given, dict):
            raise InputError("the input of an agent is a JSON object", fix='write for example {"text": "…"}')
        if problems := misfits(given, self.input_schema):
            raise InputError(
                f"the input does not fit the input_schema of {self.name!r}: {'; '.join(problems[:5])}",
                fix=f"`weft agents show {self.name}` shows the schema",
            )
        return given


def misfits(value: Any, schema: Mapping[str, Any] | None) -> list[str]:
    """What of `value` does not fit `schema`."""
    if not schema:
        return []
    return [f"{error.json_path}: {error.message[:200]}" for error in problems(validator(schema), value)]


def read_object(file: Path) -> Any:
    """The JSON in a file.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    try:
        return strict_loads(read_text(file))
    except SpecError as error:
        raise InputError(f"{file}: {error.message}", fix=error.fix) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no JSON: {error}", fix="write one JSON object") from error


def discover(folder: Path, *, everything: bool = False) -> list[AgentFile]:
    """The agents in files below `folder`, by name; with `everything` also those that nothing marks as made for it."""
    found = []
    for file in _files(folder):
        try:
            agent = agent_in(file)
        except WeftError:
            continue
        if agent.atomic or everything:
            found.append(agent)
    return sorted(found, key=lambda agent: (agent.name, str(agent.file)))


def agent_in(file: Path) -> AgentFile:
    """The agent in `file`.

    Raises:
        SpecError: the file is wrong, or holds more agents than one.
    """
    workflow = load(file)
    if len(workflow.agents) != 1:
        raise SpecError(
            f"{file} holds {len(workflow.agents)} agents, and an agent file holds one",
            fix="give each a file of its own",
        )
    labels = workflow.metadata.labels if workflow.metadata else {}
    parts = file.resolve().parts
    placed = any(parts[at : at + 2] == _FOLDER for at in range(len(parts)))
    return AgentFile(file=file, workflow=workflow, atomic=labels.get(LABEL) == "atomic" or placed)


def find_agent(name: str, folder: Path) -> AgentFile:
    """The agent that `name` means: a file, or the name of an agent or of its file below `folder`.

    Raises:
        NotFoundError: there is none, or more than one.
        SpecError: its file is wrong.
    """
    if name.endswith(SUFFIXES):
        return agent_in(Path(name))
    found = [agent for agent in discover(folder, everything=True) if name in {agent.name, agent.file.stem}]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(
            f"{len(found)} agents are called {name!r}",
            fix=f"name the file: {', '.join(str(one.file) for one in found[:5])}",
        )
    raise NotFoundError(f"there is no agent {name!r} here", fix="`weft agents list --all` shows those that are")


def example_problems(agent: AgentFile) -> Iterator[str]:
    """What is wrong with the examples of an agent."""
    for path in agent.examples():
        try:
            agent.hold(read_object(path))
        except InputError as error:
            yield f"{path}: {error.message}"


def case_input(agent: AgentFile, case: Case) -> dict[str, Any]:
    """The input of a test.

    Raises:
        InputError: it cannot be read, or does not fit.
    """
    given = case.given
    if isinstance(given, str):
        path = (agent.file.parent / given).resolve()
        if not path.is_relative_to(agent.file.parent.resolve()):
            raise InputError(f"{given!r} leaves the folder of the agent", fix="keep the inputs of tests beside it")
        given = read_object(path)
    return agent.hold(given)


def schema_text(schema: Mapping[str, Any] | None) -> str:
    """A schema for people."""
    return json.dumps(schema, indent=2, ensure_ascii=False) if schema else "any"


def _as_map(schema: Any) -> Mapping[str, Any] | None:
    return schema if isinstance(schema, Mapping) else None


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for top, folders, names in os.walk(folder, followlinks=False):
        here = Path(top)
        deep = len(here.relative_to(folder).parts) >= _DEPTH
        folders[:] = [] if deep else sorted(one for one in folders if not one.startswith(".") and one not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(SUFFIXES) and name != TESTS and not name.startswith("."):
                count += 1
                if count > _FILES:
                    return
                yield here / name

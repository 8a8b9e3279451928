# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, PrivateAttr

from weft.core.errors import InternalError
from weft.spec.model.agents import Agent, AgentEntry
from weft.spec.model.automation import Schedules, Triggers, WrittenAutomation
from weft.spec.model.base import Identifier, Name, Pointer, Section, addition
from weft.spec.model.context import ContextPolicy, Skill
from weft.spec.model.env import Env
from weft.spec.model.inputs import Inputs
from weft.spec.model.outputs import Outputs, Security, Telemetry
from weft.spec.model.patterns import Pattern
from weft.spec.model.runtime import Runtime
from weft.spec.model.tools import Tools

Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Metadata(Section):
    """Facts about the file for people and catalogues."""

    name: str | None = None
    description: str | None = None
    labels: dict[str, str] = {}


class Workflow(Section):
    """A whole document. After loading it is self-contained: no `$ref` and no schema path is left."""

    version: int | float | Annotated[str, Field(max_length=50)]
    name: Name
    description: str = ""
    tags: list[Tag] = []
    metadata: Metadata | None = None
    runtime: Runtime
    inputs: Inputs = Inputs.model_construct()
    env: Env = Env.model_construct()
    agents: Annotated[dict[Identifier, AgentEntry], Field(min_length=1)]
    tools: Tools = Tools.model_construct()
    skills: list[Skill] = []
    context_policy: ContextPolicy | None = None
    pattern: Pattern
    schedule: Schedules | None = addition()
    triggers: Triggers | None = addition()
    outputs: Outputs = Outputs.model_construct()
    telemetry: Telemetry | None = None
    security: Security | None = None
    _included: dict[str, "Workflow"] = PrivateAttr(default_factory=dict)

    @property
    def included(self) -> Mapping[str, "Workflow"]:
        """The workflows that its steps run, by the path that they write."""
        return self._included

    def include(self, path: str, workflow: "Workflow") -> None:
        """Loading alone does this: `workflow` is what the steps that write `path` run."""
        self._included[path] = workflow

    @property
    def major(self) -> str:
        """The part of `version` before the first dot."""
        return str(self.version).split(".", maxsplit=1)[0]

    def automations(self) -> list[tuple[Pointer, WrittenAutomation]]:
        """What the file says of runs that start by themselves, each with its place."""
        found: list[tuple[Pointer, WrittenAutomation]] = []
        for key in ("schedule", "triggers"):
            value = getattr(self, key)
            if isinstance(value, list):
                found += [((key, place), each) for place, each in enumerate(value)]
            elif value is not None:
                found.append(((key,), value))
        return found

    def inline_agents(self) -> dict[str, Agent]:
        """The agents by id.

        Raises:
            InternalError: the document still holds a `$ref`, so it was not loaded by `weft.spec.load`.
        """
        agents = {}
        for name, agent in self.agents.items():
            if not isinstance(agent, Agent):
                raise InternalError(f"agent {name!r} is still a reference", fix="load the file with weft.spec.load")
            agents[name] = agent
        return agents

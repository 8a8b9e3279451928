"""Agents as Pydantic AI builds them, kept for reuse: one for each agent definition and set of tools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai import Agent, RunContext, ToolFailed
from pydantic_ai import Tool as PydanticTool
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from weft.agents.calling import call_tool
from weft.agents.compaction import Compactor
from weft.agents.durability import ARGUMENTS, EARLIER, FAILED, RESULT, STEP, AgentCall, JournalDurability, alone
from weft.agents.output import CORRECTIONS, hold_to_schema, output_type
from weft.core.errors import Place, SpecError
from weft.engine.port import StepContext
from weft.models.ref import ModelRef
from weft.tools.choice import chosen
from weft.tools.port import Tool, ToolContext

_AGENTS = 256


@dataclass(frozen=True, slots=True)
class _Built:
    """An agent and what it was built from."""

    agent: Agent[AgentCall, Any]
    definition: Mapping[str, Any]
    tools: tuple[Tool, ...]


@dataclass(slots=True)
class AgentBuilder:
    """Builds agents. `tool_context` makes what a tool may use of the step it is called in."""

    open_model: Callable[[ModelRef], Model]
    tool_context: Callable[[StepContext], ToolContext]
    _built: dict[tuple[Any, ...], _Built] = field(default_factory=dict)

    def build(
        self, name: str, definition: Mapping[str, Any], tools: Mapping[str, Tool], *, stream: Callable[..., Any] | None
    ) -> Agent[AgentCall, Any]:
        """The agent `name` with these tools; `stream` hears of its answers as they come in.

        Raises:
            SpecError: its output schema cannot be used.
            UnsupportedError: its provider needs an extra that is not installed.
            AuthError: a credential is missing.
        """
        key = (name, id(definition), tuple(id(tool) for tool in tools.values()), stream is not None)
        known = self._built.get(key)
        if known is None:
            if len(self._built) >= _AGENTS:
                self._built.clear()
            agent = self._new(name, definition, tools, stream)
            # What the key is made of is kept, so that no other object can take its identity.
            known = self._built[key] = _Built(agent, definition, tuple(tools.values()))
        return known.agent

    def _new(
        self, name: str, definition: Mapping[str, Any], tools: Mapping[str, Tool], stream: Callable[..., Any] | None
    ) -> Agent[AgentCall, Any]:
        schema = definition.get("output_schema")
        agent: Agent[AgentCall, Any] = Agent(
            self.open_model(model_ref(definition)),
            name=name,
            deps_type=AgentCall,
            output_type=output_type(schema, agent=name),
            model_settings=_settings(definition),
            retries={"tools": CORRECTIONS, "output": CORRECTIONS},
            tools=[self._tool(tool) for tool in tools.values()],
            capabilities=[JournalDurability(Compactor(self.open_model).shown, event_stream_handler=stream)],
        )
        alone(agent)
        if schema is not None:
            hold_to_schema(agent, schema)
        return agent

    def _tool(self, tool: Tool) -> PydanticTool[AgentCall]:
        async def call(_: RunContext[AgentCall], **arguments: Any) -> Any:
            failed = FAILED.get()
            if failed is not None:
                raise ToolFailed(failed)
            found = RESULT.get()
            if found is not None:
                return found[0]
            step = STEP.get()
            assert step is not None, "a tool was called outside a step"
            approved = ARGUMENTS.get()
            context = replace(self.tool_context(step), earlier=EARLIER.get())
            return await call_tool(tool, arguments if approved is None else approved, context)

        spec = tool.spec
        return PydanticTool.from_schema(call, spec.name, spec.description, dict(spec.input_schema), takes_ctx=True)


def _settings(definition: Mapping[str, Any]) -> ModelSettings:
    given = definition.get("inference") or {}
    return ModelSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[typeddict-item]  # the language has no others


def model_ref(definition: Mapping[str, Any]) -> ModelRef:
    """The model that an agent definition names."""
    return ModelRef.parse(
        definition["model"],
        api=definition.get("api") or "chat",
        base_url=definition.get("base_url"),
        region=definition.get("region"),
        declared=bool(definition.get("base_url_declared")),
    )


def pick_tools(
    agent: str,
    definition: Mapping[str, Any],
    available: Mapping[str, Tool],
    override: Sequence[str] | None,
    common: Sequence[str] = (),
    *,
    groups: Collection[str] = (),
) -> dict[str, Tool]:
    """The tools that one call of an agent may use: its own, or those that the step names instead; and the `common` ones.

    A name may also be that of a group of tools; see `weft.tools.choice`.

    Raises:
        SpecError: one of them is not defined.
    """
    names = definition.get("tools") if override is None else override
    if names is None:
        return dict(available)
    found, missing = chosen(dict.fromkeys([*names, *common]), available, groups)
    if missing:
        raise SpecError(
            f"agent {agent!r} uses the tool {missing[0]!r}, which is not defined",
            fix=f"define it under tools; defined are: {', '.join(sorted(available)) or 'none'}",
            place=Place(pointer=f"/agents/{agent}/tools"),
        )
    return found

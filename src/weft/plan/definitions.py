"""What the calls of a plan name: agents with their models, tools, secrets by reference, and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.errors import Place, SpecError
from weft.spec.attachments import MAIN
from weft.spec.lint_templates import prompt_is_template
from weft.spec.model.agents import Agent, RemoteAgent
from weft.spec.model.base import walk
from weft.spec.model.outputs import Telemetry
from weft.spec.model.patterns import WorkerTemplate
from weft.spec.model.runtime import Runtime
from weft.spec.model.steps import AgentStep, ToolStep
from weft.spec.model.tools import HttpExecutor, McpServer, PythonTool
from weft.spec.model.workflow import Workflow
from weft.spec.support import builtin_id
from weft.spec.toolnames import resolved, tool_name

Json = Any

OFFLINE = "offline/extract"
"""The model of every agent when nothing may leave the machine."""

PROVIDERS: Mapping[str, str] = {"gemini": "google", "azure_openai": "azure"}
"""Names of the language that stand for another one of ours."""

SKILL_TOOL = "Skill"
"""The name of the tool that loads skills."""

DEFAULT_MODELS: Mapping[str, str] = {
    "anthropic": "claude-sonnet-4-20250514",
    "bedrock": "us.anthropic.claude-3-sonnet-20240229-v1:0",
    "google": "gemini-2.5-flash",
    "offline": "extract",
    "ollama": "gpt-oss",
    "openai": "gpt-4o-mini",
}
"""The model of an agent for which the file names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """A choice of model that goes over what the file says, for every agent. `offline` goes over all the others."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    offline: bool = False


def definitions(workflow: Workflow, overrides: Overrides) -> dict[str, Json]:
    """The definitions of a plan as plain JSON.

    Raises:
        SpecError: an agent has no model and its provider no default one.
    """
    telemetry = workflow.telemetry or Telemetry()
    return {
        "name": workflow.name,
        "description": workflow.description,
        "tags": list(workflow.tags),
        "pattern": workflow.pattern.type,
        "runtime": workflow.runtime.model_dump(mode="json", exclude_none=True),
        "context_policy": _policy(workflow, overrides),
        "agents": {name: _agent(name, agent, workflow, overrides) for name, agent in workflow.inline_agents().items()},
        "tools": _tools(workflow),
        "mcp": {server.id: _mcp(server) for server in workflow.tools.mcp},
        "secrets": {
            secret.alias: {"source": secret.source, "key": secret.key, **({"path": secret.path} if secret.path else {})}
            for secret in workflow.env.secrets
        },
        "telemetry": telemetry.model_dump(mode="json", exclude_none=True),
        **({"common_tools": common} if (common := common_tools(workflow)) else {}),
    }


def _policy(workflow: Workflow, overrides: Overrides) -> dict[str, Json]:
    """The context policy, its preset spelled out. A choice of model for every agent is one for summaries too."""
    if workflow.context_policy is None:
        return {}
    policy: dict[str, Json] = workflow.context_policy.filled().model_dump(mode="json", exclude_none=True)
    if overrides.offline or overrides.provider or overrides.model:
        policy.get("compaction", {}).pop("summarization_model", None)
    return policy


def _agent(name: str, agent: Agent, workflow: Workflow, overrides: Overrides) -> dict[str, Json]:
    if isinstance(agent, RemoteAgent) and not overrides.offline:
        return _remote(agent)
    runtime = workflow.runtime
    own = {key: getattr(runtime, key) for key in ("temperature", "top_p", "max_tokens")}
    inference = {**own, **agent.inference.model_dump(exclude_none=True)}
    definition = {
        "prompt": agent.prompt,
        "prompt_template": prompt_is_template(agent.prompt, workflow),
        "model": _model(name, agent, runtime, overrides),
        "tools": _agent_tools(agent, workflow),
        "inference": {key: value for key, value in inference.items() if value is not None},
        "output_schema": agent.output_schema,
        "api": agent.api,
        "base_url": _base_url(agent, runtime, overrides),
        "region": agent.region or runtime.region,
    }
    if agent.approval:
        rules = agent.model_dump(mode="json", include={"approval"}, exclude_none=True)["approval"]
        definition["approval"] = {resolved(tool, workflow): rule for tool, rule in rules.items()}
    if agent.card is not None:
        definition["card"] = agent.card.model_dump(mode="json", exclude_defaults=True)
    if overrides.offline:
        definition |= {"api": None, "base_url": None, "region": None}
    elif definition["base_url"] is not None and not overrides.base_url:
        definition["base_url_declared"] = True
    return definition | ({"input_schema": agent.input_schema} if agent.input_schema else {})


def _remote(agent: RemoteAgent) -> dict[str, Json]:
    """Where a remote agent is; ``${NAME}`` in its headers stays a reference."""
    definition: dict[str, Json] = {"a2a": agent.a2a, "prompt": "", "tools": []}
    if agent.headers:
        definition["headers"] = dict(agent.headers)
    if agent.card is not None:
        definition["card"] = agent.card.model_dump(mode="json", exclude_defaults=True)
    return definition


def _provider(name: str) -> str:
    return PROVIDERS.get(name, name)


def _model(name: str, agent: Agent, runtime: Runtime, overrides: Overrides) -> str:
    if overrides.offline:
        return OFFLINE
    own, shared = _provider(agent.provider or runtime.provider), _provider(runtime.provider)
    provider = _provider(overrides.provider) if overrides.provider else own
    model = overrides.model
    if model is None and provider == own:
        model = agent.model_id
    if model is None and provider == shared:
        model = runtime.model_id
    model = model or DEFAULT_MODELS.get(provider)
    if model is None:
        raise SpecError(
            f"agent {name!r} has no model, and {provider!r} has no default one",
            fix="write `model_id`, or choose one with --model",
            place=Place(pointer=f"/agents/{name}"),
        )
    return f"{provider}/{model}"


def _base_url(agent: Agent, runtime: Runtime, overrides: Overrides) -> str | None:
    if overrides.base_url:
        return overrides.base_url
    own = agent.provider or runtime.provider
    if overrides.provider and _provider(overrides.provider) != _provider(own):
        return None
    shared = runtime.host if _provider(own) == _provider(runtime.provider) else None
    return agent.base_url or agent.host or shared


def _agent_tools(agent: Agent, workflow: Workflow) -> list[str]:
    """The tools that an agent may use: those it lists, or all that the file declares."""
    if agent.tools is not None:
        own = [resolved(name, workflow) for name in agent.tools]
    else:
        own = [tool_name(tool) for tool in workflow.tools.python_tools()]
        own += [executor.id for executor in workflow.tools.http_executors]
        own += [server.id for server in workflow.tools.mcp]
    return list(dict.fromkeys(own))


def common_tools(workflow: Workflow) -> list[str]:
    """The tools that every agent has, whatever it lists: those to look things up with, and the one that loads skills."""
    policy = workflow.context_policy.filled() if workflow.context_policy else None
    wanted = policy.retrieval.jit_tools if policy and policy.retrieval else []
    return [resolved(name, workflow) for name in wanted] + ([SKILL_TOOL] if workflow.skills else [])


def _skills(workflow: Workflow) -> dict[str, Json]:
    """Each skill with its instructions and its modules by name: a run keeps the texts that it was started with."""
    return {
        skill.id: {
            "description": skill.description,
            "text": next((skill.files[name] for name in MAIN if name in skill.files), ""),
            "modules": {name.removesuffix(".md"): text for name, text in skill.files.items() if name not in MAIN},
        }
        for skill in workflow.skills
    }


def _tools(workflow: Workflow) -> dict[str, Json]:
    tools: dict[str, Json] = {}
    for tool in workflow.tools.python_tools():
        tools[tool_name(tool)] = _python(tool)
    for executor in workflow.tools.http_executors:
        tools[executor.id] = _http(executor)
    for name in _used(workflow):
        if name not in tools and builtin_id(name):
            tools[name] = {"kind": "builtin"}
    if workflow.skills:
        tools[SKILL_TOOL] = {"kind": "skills", "skills": _skills(workflow)}
    return tools


def _used(workflow: Workflow) -> set[str]:
    """Every tool that is named somewhere; built-in ones need no declaration."""
    names: set[str] = set(common_tools(workflow))
    for agent in workflow.inline_agents().values():
        names.update(agent.tools or ())
    for _pointer, section in walk(workflow.pattern):
        if isinstance(section, AgentStep):
            names.update(section.tool_overrides or ())
        elif isinstance(section, WorkerTemplate):
            names.update(section.tools or ())
        elif isinstance(section, ToolStep):
            names.add(section.tool)
    return {resolved(name, workflow) for name in names}


def _python(tool: PythonTool) -> dict[str, Json]:
    limits = tool.model_dump(mode="json", include={"effect", "timeout_s", "max_bytes", "approval"}, exclude_none=True)
    if name := builtin_id(tool.callable):
        alias = {} if tool.id in {None, name} else {"builtin": name}
        return {"kind": "builtin", **alias, **limits}
    return {"kind": "python", "callable": tool.callable, **limits}


def _http(executor: HttpExecutor) -> dict[str, Json]:
    """The executor's own fields; ``${NAME}`` in its headers stays a reference."""
    definition = executor.model_dump(mode="json", exclude={"id"}, exclude_none=True)
    if executor.timeout_ms is not None and executor.timeout_s is None:
        definition["timeout_s"] = executor.timeout_ms / 1000
    return {"kind": "http", **definition}


def _mcp(server: McpServer) -> dict[str, Json]:
    """The server's own fields; ``${NAME}`` in them stays a reference."""
    return server.model_dump(mode="json", exclude={"id"}, exclude_none=True)

"""One step or task as a call: an agent that is asked, or a tool that is used directly."""

from __future__ import annotations

from typing import Any

from weft.plan.nodes import Call, Effect, Join, Retry
from weft.spec.model.patterns import JoinRule
from weft.spec.model.runtime import FailurePolicy
from weft.spec.model.steps import AgentStep, AgentTask, Step, Task, ToolStep
from weft.spec.model.tools import HttpExecutor, PythonTool
from weft.spec.model.workflow import Workflow
from weft.spec.support import builtin_id
from weft.spec.toolnames import mcp_tool, resolved, tool_names

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def retry_of(policy: FailurePolicy, retries: int) -> Retry:
    """`retries` tries after the first, waiting as `policy` says."""
    return Retry(
        attempts=retries + 1,
        backoff=policy.backoff,
        wait_min=float(policy.wait_min),
        wait_max=float(policy.wait_max),
    )


def join_of(join: str | JoinRule, count: int) -> Join:
    """When a fan-out of `count` children is done; a quorum without a number is a majority."""
    rule = join if isinstance(join, JoinRule) else JoinRule.model_construct(policy=join, quorum=None)
    if rule.policy != "quorum":
        return Join(policy=rule.policy)
    return Join(policy="quorum", quorum=rule.quorum or count // 2 + 1)


def compile_step(step: Step | Task, workflow: Workflow, *, name: str, index: int | None, prompt: str) -> Call:
    """The call of a step; `prompt` is what an agent gets when the step has no `input` of its own."""
    if isinstance(step, AgentStep):
        return _agent_call(step, workflow, name, index, prompt)
    assert isinstance(step, ToolStep), "steps that ask a person are refused before"
    return _tool_call(step, workflow, name, index)


def _agent_call(step: AgentStep, workflow: Workflow, name: str, index: int | None, prompt: str) -> Call:
    tools = step.tool_overrides
    if tools is not None:
        tools = list(dict.fromkeys(resolved(tool, workflow) for tool in tools))
    return Call(
        name=name,
        performer="agent",
        target=step.agent,
        input={
            "prompt": prompt if step.input is None else step.input,
            "vars": dict(step.vars),
            "tools": tools,
            "facts": _facts(step, index) | {"agent": step.agent, "type": "agent"},
            "history": step.history,
        },
        retry=_retry(step.retries, workflow),
        timeout_s=step.timeout_s,
        conversation=_conversation(step, tools),
    )


def _conversation(step: AgentStep, tools: list[str] | None) -> str | None:
    """Calls of one agent with the same tools go on with one conversation; ``all`` makes it one for all agents."""
    if step.history == "none":
        return None
    if step.history == "all":
        return "*"
    return step.agent if tools is None else f"{step.agent}+{','.join(sorted(tools))}"


def _tool_call(step: ToolStep, workflow: Workflow, name: str, index: int | None) -> Call:
    target = resolved(step.tool, workflow)
    return Call(
        name=name,
        performer="tool",
        target=target,
        input={"args": step.args, "facts": _facts(step, index) | {"type": "tool"}},
        effect=_effect(step, workflow),
        retry=_retry(step.retries, workflow),
        timeout_s=step.timeout_s,
    )


def _effect(step: ToolStep, workflow: Workflow) -> Effect:
    """What the file says; else pure for built-in tools, and once for what may not be sent again: HTTP requests, MCP calls."""
    server = mcp_tool(step.tool, workflow)
    if server is not None:
        return server.effects.get(step.tool.removeprefix(f"{server.id}:"), server.effect or "once")
    tool = tool_names(workflow).get(step.tool)
    if tool is not None and tool.effect is not None:
        return tool.effect
    if isinstance(tool, HttpExecutor):
        method = str(step.args.get("method", "GET")).upper()
        return "idempotent" if method in _SAFE_METHODS else "once"
    name = tool.callable if isinstance(tool, PythonTool) else step.tool
    return "pure" if builtin_id(name) else "idempotent"


def _facts(step: Step | Task, index: int | None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if index is not None:
        facts["index"] = index
    if step.id is not None:
        facts["id"] = step.id
    if isinstance(step, AgentTask) and step.description:
        facts["description"] = step.description
    return facts


def _retry(retries: int | None, workflow: Workflow) -> Retry | None:
    return None if retries is None else retry_of(workflow.runtime.failure_policy, retries)


def opening_prompt(workflow: Workflow) -> str:
    """What an agent without `input` gets when nothing came before: the declared inputs, or what the workflow is."""
    required = [*workflow.inputs.required]
    if required:
        return "\n".join(f"{name}: {{{{ {name} }}}}" for name in required if name.isidentifier())
    text = workflow.description or workflow.name
    return text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")

"""Steps and tasks as calls: an agent that is asked, or a tool that is used directly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from weft.plan.nodes import Budget, Call, Effect, Join, Retry
from weft.plan.patterns.compiler import Compiler, Slot
from weft.spec.model.joins import JoinRule
from weft.spec.model.runtime import Budgets, FailurePolicy
from weft.spec.model.steps import AgentStep, AgentTask, ToolStep
from weft.spec.model.tools import HttpExecutor, PythonTool
from weft.spec.model.workflow import Workflow
from weft.spec.support import OUTSIDE_TOOLS, builtin_id
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


def budget_of(budgets: Budgets) -> Budget | None:
    """The limits that `budgets` sets, if any."""
    limits = (budgets.max_tokens, budgets.max_cost_usd, budgets.max_steps, budgets.max_duration_s)
    if all(limit is None for limit in limits):
        return None
    cost = budgets.max_cost_usd
    return Budget(
        max_tokens=budgets.max_tokens,
        max_cost=None if cost is None else format(Decimal(str(cost)).normalize(), "f"),
        max_steps=budgets.max_steps,
        max_duration_s=budgets.max_duration_s,
        warn_at=budgets.warn_threshold,
    )


def join_of(join: str | JoinRule, count: int) -> Join:
    """When a fan-out of `count` children is done; a quorum without a number is a majority."""
    rule = join if isinstance(join, JoinRule) else JoinRule.model_construct(policy=join, quorum=None, failures=None)
    if rule.policy != "quorum":
        return Join(policy=rule.policy)
    return Join(policy="quorum", quorum=rule.quorum or count // 2 + 1, failures=rule.failures)


def compile_agent(step: AgentStep, compiler: Compiler, slot: Slot) -> Call:
    """The call of a step where an agent works."""
    workflow = compiler.workflow
    tools = tools_of(step.tool_overrides, workflow)
    return Call(
        name=slot.name,
        performer="agent",
        target=step.agent,
        input={
            "prompt": slot.prompt if step.input is None else step.input,
            "vars": dict(step.vars),
            "tools": tools,
            "facts": _facts(step, slot.index) | {"agent": step.agent, "type": "agent"},
            "history": step.history,
        },
        retry=_retry(step.retries, workflow),
        timeout_s=step.timeout_s,
        conversation=_conversation(step, tools),
    )


def ask(
    agent: str,
    name: str,
    prompt: str,
    *,
    tools: list[str] | None = None,
    answer: Mapping[str, Any] | None = None,
    worker: Mapping[str, str] | None = None,
    alone: bool = False,
) -> Call:
    """The call of an agent that a pattern makes by itself.

    `answer` is what it must answer (see `weft.plan.patterns.answers`), `worker` says that it is a worker and which. `alone` keeps
    it out of every conversation.
    """
    asked = {"answer": dict(answer)} if answer else {}
    watched = {"worker": dict(worker)} if worker else {}
    return Call(
        name=name,
        performer="agent",
        target=agent,
        input={"prompt": prompt, "tools": tools, "facts": {"agent": agent, "type": "agent"}, **asked, **watched},
        conversation=None if alone else conversation_of(agent, tools),
    )


def tools_of(names: list[str] | None, workflow: Workflow) -> list[str] | None:
    """The tools that a step names for its agent, each once and by its own name; None when it names none."""
    return None if names is None else list(dict.fromkeys(resolved(name, workflow) for name in names))


def _conversation(step: AgentStep, tools: list[str] | None) -> str | None:
    """What the call goes on with; ``all`` makes one conversation of all agents."""
    if step.history == "none":
        return None
    return "*" if step.history == "all" else conversation_of(step.agent, tools)


def conversation_of(agent: str, tools: list[str] | None = None) -> str:
    """Calls of one agent with the same tools go on with one conversation."""
    return agent if tools is None else f"{agent}+{','.join(sorted(tools))}"


def compile_tool(step: ToolStep, compiler: Compiler, slot: Slot) -> Call:
    """The call of a step that uses a tool directly."""
    workflow = compiler.workflow
    target = resolved(step.tool, workflow)
    return Call(
        name=slot.name,
        performer="tool",
        target=target,
        input={"args": step.args, "facts": _facts(step, slot.index) | {"type": "tool"}},
        effect=_effect(step, workflow),
        retry=_retry(step.retries, workflow),
        timeout_s=step.timeout_s,
    )


def _effect(step: ToolStep, workflow: Workflow) -> Effect:
    """What the file says; else pure for built-in tools that only look, and once for what may not be sent again: requests, MCP calls."""
    server = mcp_tool(step.tool, workflow)
    if server is not None:
        return server.effects.get(step.tool.removeprefix(f"{server.id}:"), server.effect or "once")
    tool = tool_names(workflow).get(step.tool)
    if tool is not None and tool.effect is not None:
        return tool.effect
    name = builtin_id(tool.callable if isinstance(tool, PythonTool) else step.tool)
    if isinstance(tool, HttpExecutor) or name == "http_request":
        method = str(step.args.get("method", "GET")).upper()
        return "idempotent" if method in _SAFE_METHODS else "once"
    return "pure" if name and name not in OUTSIDE_TOOLS else "idempotent"


def _facts(step: AgentStep | ToolStep, index: int | None) -> dict[str, Any]:
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

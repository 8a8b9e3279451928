"""Approval before a tool call: whether it is needed, what is asked, and what the answer means for the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.errors import PolicyError
from weft.engine.port import GateRequest, StepContext
from weft.plan.nodes import Plan
from weft.plan.template import evaluate, render
from weft.tools.client import RESULT
from weft.tools.port import Changeable, Tool, ToolContext, ToolSpec

_CHOICES = ("approve", "reject")
_PROMPT = "Let {{ agent }} call {{ tool }}?"
_STEP_PROMPT = "Call {{ tool }}?"


def approval_request(
    plan: Plan, spec: ToolSpec, arguments: Mapping[str, Any], *, agent: str | None = None
) -> GateRequest | None:
    """What is asked before this call, or None when nobody need be asked. An agent's own rule goes over that of the tool.

    Raises:
        WeftError: a template of the rule cannot be rendered; then the call may not be made.
    """
    tools: Mapping[str, Any] = plan.definitions.get("tools") or {}
    agents: Mapping[str, Any] = plan.definitions.get("agents") or {}
    rule: Any = (tools.get(spec.name) or {}).get("approval")
    names = [spec.name]
    if spec.group:
        server: Mapping[str, Any] = (plan.definitions.get("mcp") or {}).get(spec.group) or {}
        rule = (server.get("approvals") or {}).get(spec.origin, server.get("approval"))
        names = [f"{spec.group}:{spec.origin}", spec.name, spec.group]
    if agent is not None:
        own: Mapping[str, Any] = (agents.get(agent) or {}).get("approval") or {}
        rule = next((own[name] for name in names if name in own), rule)
    if rule is None or rule == "never":
        return None
    rule = {} if rule == "always" else rule
    scope = {"arguments": dict(arguments), "tool": spec.name, "agent": agent or ""}
    if "when" in rule and not evaluate(rule["when"], scope):
        return None
    escalate = rule.get("escalate") or {}
    return GateRequest(
        prompt=render(rule.get("prompt") or (_PROMPT if agent else _STEP_PROMPT), scope),
        choices=_CHOICES,
        form=spec.input_schema,
        given=dict(arguments),
        on_reject="continue" if agent else "fail",
        assignees=tuple(rule.get("assignees") or ()),
        deadline_s=rule.get("deadline_s"),
        warn_s=rule.get("warn_s"),
        escalate_s=escalate.get("after_s"),
        escalate_to=tuple(escalate.get("to") or ()),
        default=rule.get("default"),
        facts={"tool": spec.name} | ({"agent": agent} if agent else {}),
    )


async def approved(
    context: StepContext, step: str, spec: ToolSpec, arguments: Mapping[str, Any], *, agent: str
) -> Mapping[str, Any]:
    """The arguments with which an agent may make the call at `step`, once somebody has approved it if that is needed.

    Raises:
        PolicyError: it was rejected.
        WeftError: nobody answered in time, or the rule cannot be read.
        StepSuspended: nobody has answered yet.
    """
    request = approval_request(context.plan, spec, arguments, agent=agent)
    if request is None:
        return arguments
    said = await context.ask(f"{step}/gate", request)
    if said["choice"] != _CHOICES[0]:
        who, why = said["by"] or "the deadline", f": {said['why']}" if said["why"] else ""
        raise PolicyError(
            f"{who} rejected this call of {spec.name!r}{why}",
            fix="do not repeat it as it is; go on without it, or do what was asked instead",
        )
    return edited(said, arguments)


async def handed_in(
    context: StepContext, step: str, spec: ToolSpec, arguments: Mapping[str, Any], *, agent: str
) -> str:
    """What came of a call that the client makes, once it has handed that in.

    Raises:
        StepSuspended: it has not yet.
    """
    facts = {"client": spec.name, "agent": agent, "arguments": dict(arguments)}
    prompt = f"{agent} waits for the client's call of {spec.name}."
    said = await context.ask(f"{step}/client", GateRequest(prompt=prompt, form=RESULT, facts=facts))
    return str(said["values"]["result"])


def edited(said: Mapping[str, Any], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """`arguments` as the answer changed them. What was shown may have been masked, so what is as shown is taken from here."""
    values, shown = said["values"], said.get("given")
    if values is None or values == shown:
        return arguments
    kept = {
        name: value for name, value in arguments.items() if shown is not None and values.get(name) == shown.get(name)
    }
    return {**values, **kept}


async def unchanged(context: StepContext, before: str, tool: Tool, around: ToolContext) -> None:
    """Have a person look at a tool that is described otherwise than when the run first used it; `before` begins the gate's name.

    Raises:
        RejectedError: the new description was not accepted.
        WeftError: nobody answered in time, or the tool's server cannot be reached.
        StepSuspended: nobody has answered yet.
    """
    if not tool.spec.group or not isinstance(tool, Changeable):
        return
    difference = await tool.difference(around)
    if difference is None:
        return
    spec = tool.spec
    request = GateRequest(
        prompt=f"{spec.group!r} describes its tool {spec.origin!r} otherwise than when this run first used it. Go on with it?",
        show=difference.text,
        choices=("accept", "reject"),
        facts={"tool": spec.name, "server": spec.group},
    )
    await context.ask(f"{before}changed[{difference.digest[:12]}]", request)
    await tool.accept(difference)

"""One agent of a workflow by itself: asked with a message, after what was said before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from weft.core.errors import InputError, NotFoundError
from weft.plan.nodes import Block, Call, Plan, Sequence
from weft.spec.lint_templates import prompt_is_template
from weft.spec.model.inputs import InputField, Inputs
from weft.spec.model.outputs import Outputs
from weft.spec.model.patterns import Chain
from weft.spec.model.workflow import Workflow
from weft.spec.references import reads
from weft.spec.suggest import did_you_mean

MESSAGE = "message"
"""The input that holds what the agent is asked."""
MESSAGES = "messages"
"""The input that holds what was said before: a list of ``{"role": "user" | "assistant", "content": text}``."""


def alone(workflow: Workflow, agent: str) -> Workflow:
    """`workflow` with nothing but one step of `agent`. Inputs stay, and those that its prompt reads are needed.

    Raises:
        NotFoundError: it has no such agent.
    """
    if agent not in workflow.agents:
        fix = did_you_mean(agent, workflow.agents, noun="agents")
        raise NotFoundError(f"the workflow {workflow.name!r} has no agent {agent!r}", fix=fix)
    declared, needs = workflow.inputs.declared(), needed(workflow, agent)
    given = {name: field for name, field in declared.items() if name not in needs}
    inputs = Inputs(
        required={**{name: workflow.inputs.required[name] for name in sorted(needs)}, MESSAGE: "string"},
        optional={**given, MESSAGES: InputField(type="array", default=[])},
        values=workflow.inputs.values,
    )
    step = {"agent": agent, "input": f"{{{{ {MESSAGE} }}}}"}
    pattern = Chain.model_validate({"type": "chain", "config": {"steps": [step]}})
    name = f"{workflow.name}/{agent}"
    return workflow.model_copy(update={"name": name, "inputs": inputs, "pattern": pattern, "outputs": Outputs()})


def needed(workflow: Workflow, agent: str) -> set[str]:
    """The required inputs of `workflow` that `agent` cannot do without."""
    prompt = workflow.inline_agents()[agent].prompt
    read = reads(prompt).names if prompt_is_template(prompt, workflow) else set()
    return {name for name in workflow.inputs.required if name in read}


def offered(plan: Plan, tools: Iterable[Mapping[str, Any]], *, agent: str = "") -> Plan:
    """A plan whose `agent`, or only one, may call `tools` of the client as well as its own.

    Raises:
        InputError: there are several agents, or a tool has the name of another.
    """
    agents, own = plan.definitions["agents"], plan.definitions.get("tools") or {}
    if not agent and len(agents) != 1:
        raise InputError(f"{plan.workflow} has several agents: tools of the client are for one", fix="ask one agent")
    name = agent or next(iter(agents))
    definition = agents[name]
    added = {one["name"]: {"kind": "client", **one} for one in tools}
    if taken := sorted(added.keys() & {*own, *definition["tools"]}):
        raise InputError(f"the agent has a tool {taken[0]!r} of its own", fix="give the client's tool another name")
    more = {**definition, "tools": [*definition["tools"], *added]}
    return replace(plan, definitions={**plan.definitions, "agents": {**agents, name: more}, "tools": {**own, **added}})


def conversing(plan: Plan) -> Plan:
    """The plan of an agent `alone`, its call given what was said before."""
    assert isinstance(plan.root, Block)
    steps = plan.root.body
    assert isinstance(steps, Sequence)
    call = steps.children[0]
    assert isinstance(call, Call)
    given: dict[str, Any] = {**call.input, MESSAGES: f"{{{{ {MESSAGES} }}}}"}
    body = replace(steps, children=(replace(call, input=given),))
    return replace(plan, root=replace(plan.root, body=body))

"""Plan: the request becomes a plan at run time, which runs as a child."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.plan.nodes import Branch, Budget, Call, Child, Choose, Loop, Node, Sequence, Set
from weft.plan.patterns.answers import heard
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.flow import present
from weft.plan.patterns.steps import ask, budget_of
from weft.plan.planner.draft import SCHEMA
from weft.spec.lint_templates import prompt_is_template
from weft.spec.model.planning import PlanConfig, PlanPattern
from weft.spec.model.workflow import Workflow
from weft.spec.references import reads

TRIES = 3
"""How often a model may write a plan: once, and twice to mend it."""
_WRITE = """\
Make a plan for the request below. Each step is done by one of the agents; what can be done at once is not put one after the other.

Request:
{{ looked[0].request }}

Agents:
{{ looked[0].cards }}
{% if drafts %}
Your last plan cannot be used:
{% for problem in drafts[-1].problems %}- {{ problem }}
{% endfor %}Write it again without these faults.{% endif %}"""
_FORM = (
    'Answer with JSON and nothing else: {"steps": [{"id": "<short name>", "agent": "<id of an agent>", '
    '"task": "<what it is to do>", "after": ["<ids of the steps that it needs>"]}]}'
)


def compile_plan(pattern: PlanPattern, compiler: Compiler, name: str) -> Node:
    """``/plan/make`` makes the plan and ``/work/run`` runs it; a model's drafts are at ``/draft[0]/ask/write`` and ``/draft[0]/check``."""
    config = pattern.config
    settings = _settings(config, compiler)
    written: tuple[Node, ...] = ()
    given: dict[str, Any] = {"request": config.request}
    if config.writer is not None:
        look = _planner("look", settings, given)
        drafting = Choose(name="", branches=(Branch(when="looked[0].draft is none", node=_drafting(config, settings)),))
        written = (heard(look, "cards", "looked"), drafting)
        given = given | {"written": "{{ drafts[-1] if drafts is defined and drafts else none }}"}
    workflow = compiler.workflow
    names = {key: present(key) for key in sorted(_names(workflow))}
    budget = budget_of(config.budget) if config.budget else None
    return Sequence(name=name, children=(*written, *carried_out(settings, given, names, budget=budget)))


def carried_out(
    settings: Mapping[str, Any], given: Mapping[str, Any], names: Mapping[str, str], *, budget: Budget | None = None
) -> tuple[Node, ...]:
    """A plan is made as the planner's `settings` say, of what is `given`, and run as a child with the inputs `names`."""
    run = Child(name="run", planned="made[0].hash", inputs=names, budget=budget)
    facts = {key: f"made[0].{key}" for key in ("steps", "milestones", "estimate")}
    return (
        heard(_planner("make", settings, given), "plan", "made"),
        heard(run, "work", "worked"),
        Set(
            name="outcome",
            values={
                "response": "worked[0].response",
                "results": "worked[0].value.results",
                "plan": f"{{{', '.join(f'{key!r}: {value}' for key, value in facts.items())}}}",
            },
        ),
    )


def _settings(config: PlanConfig, compiler: Compiler) -> dict[str, Any]:
    others = [name for name in compiler.workflow.agents if name != config.writer]
    chosen = config.model_dump(
        mode="json", include={"ambiguous", "approve", "assignees", "deadline_s", "alternatives", "max_steps", "cache_s"}
    )
    parallel = compiler.workflow.runtime.max_parallel
    return chosen | {"agents": sorted(config.agents or others), "writer": config.writer, "max_parallel": parallel}


def _names(workflow: Workflow) -> set[str]:
    """What the child is given: the inputs, and what the prompts of agents read."""
    inputs = workflow.inputs
    given = {name for part in (inputs.required, inputs.optional, inputs.values) for name in part if name.isidentifier()}
    prompts = [agent.prompt for agent in workflow.inline_agents().values()]
    read = (reads(prompt).names for prompt in prompts if prompt_is_template(prompt, workflow))
    return {"inputs"}.union(given, *read)


def _planner(name: str, settings: Mapping[str, Any], given: Mapping[str, Any]) -> Call:
    return Call(name=name, performer="planner", target=name, input={"settings": dict(settings), "given": dict(given)})


def _drafting(config: PlanConfig, settings: Mapping[str, Any]) -> Loop:
    """A model writes, the draft is checked, and what is wrong with it is said to the model."""
    writer = config.writer or ""
    answer = {"schema": SCHEMA, "instruction": _FORM, "retries": 0, "fallback": None}
    return Loop(
        name="draft",
        body=Sequence(
            name="",
            children=(
                heard(ask(writer, "write", _WRITE, answer=answer), "ask", "written"),
                _planner("check", settings, {"draft": "{{ written[0].data }}"}),
            ),
        ),
        until="not drafts[-1].problems",
        max_iterations=TRIES,
        into="drafts",
    )

"""Orchestrator and workers: an agent splits the work at run time, workers do the pieces."""

from __future__ import annotations

import json

from weft.plan.nodes import Branch, Choose, Loop, Map, Node, Select, Sequence, Set
from weft.plan.patterns.answers import heard, subtasks_answer
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.people import gate_of
from weft.plan.patterns.steps import ask, tools_of
from weft.spec.model.patterns import Orchestrator, OrchestratorConfig, OrchestratorWorkers

SPLIT = "Break the request down into subtasks that workers can do independently of each other."
REQUEST = """

Request:
{{ inputs | tojson(indent=2) }}
{% if workers %}
Done so far:
{% for worker in workers %}- {{ worker.task }}
{{ worker.response }}
{% endfor %}
Name only what is still missing.{% endif %}"""
REDUCE = """\
Put the results of the workers together.

Request:
{{ inputs | tojson(indent=2) }}
{% for worker in workers %}
Result of: {{ worker.task }}
{{ worker.response }}
{% endfor %}"""
_NUMBER = "{{ (workers | length) + index }}"
_STATE = ("workers", "subtasks", "task_count", "orchestrator_response", "round_count", "hitl_response")
"""What a round leaves for the next one."""


def compile_orchestrator(pattern: OrchestratorWorkers, compiler: Compiler, name: str) -> Node:
    """Rounds at ``/round[0]`` with ``decompose/orchestrator``, ``review`` and ``worker[0]``; then ``/reduce`` and ``/writeup``."""
    config = pattern.config
    rounds = Loop(
        name="round",
        body=_round(config, compiler),
        until="subtasks | length == 0",
        max_iterations=config.orchestrator.limits.max_rounds or 1,
        exports=_STATE,
    )
    counted = {
        "num_workers": "workers | length",
        "worker_count": "workers | length",
        "last_response": 'workers | map(attribute="response") | join("\\n\\n---\\n\\n") if workers else orchestrator_response',
    }
    children: list[Node] = [
        Set(name="start", values={"workers": "[]", "round_count": "0"}),
        rounds,
        Set(name="counted", values=counted),
    ]
    if config.reduce_review is not None:
        children += [gate_of(config.reduce_review, "reduce_review"), Set(name="joined", values=_last(counted))]
    if config.reduce is not None:
        children += [
            compiler.step(config.reduce, Slot("reduce", prompt=REDUCE)),
            Set(name="reduced", values={"reduce_response": "last_response"}),
        ]
    if config.writeup is not None:
        children += [
            compiler.step(config.writeup, Slot("writeup", prompt=REDUCE if config.reduce is None else Slot("").prompt)),
            Set(name="written", values={"writeup_response": "last_response"}),
        ]
    return Sequence(name=name, children=tuple(children))


def _last(values: dict[str, str]) -> dict[str, str]:
    return {"last_response": values["last_response"]}


def _round(config: OrchestratorConfig, compiler: Compiler) -> Sequence:
    orchestrator = config.orchestrator
    answer = subtasks_answer(done='{{ workers | map(attribute="task") | list }}', first="{{ workers | length }}")
    found = {
        "subtasks": "decomposed[0].data",
        "task_count": "decomposed[0].data | length",
        "orchestrator_response": "decomposed[0].response",
    }
    work: list[Node] = []
    if config.decomposition_review is not None:
        work.append(gate_of(config.decomposition_review, "review"))
    work += [
        Map(
            name="worker",
            items="subtasks",
            item="subtask",
            body=_worker(config, compiler),
            max_parallel=orchestrator.limits.max_workers or compiler.workflow.runtime.max_parallel,
            into="results",
        ),
        Set(name="collected", values={"workers": "workers + results", "round_count": "round_count + 1"}),
    ]
    return Sequence(
        name="",
        children=(
            heard(
                ask(orchestrator.agent, "orchestrator", _split(orchestrator), answer=answer), "decompose", "decomposed"
            ),
            Set(name="found", values=found),
            Choose(
                name="",
                branches=(Branch(when="subtasks", node=Sequence(name="work", children=tuple(work), exports=_STATE)),),
            ),
        ),
        exports=_STATE,
    )


def _split(orchestrator: Orchestrator) -> str:
    return (SPLIT if orchestrator.input is None else orchestrator.input) + REQUEST


def _worker(config: OrchestratorConfig, compiler: Compiler) -> Node:
    """One subtask: by a worker, and by a fresh one when the first has failed."""
    template = config.worker_template
    tools = tools_of(template.tools, compiler.workflow)
    about = {"worker": _NUMBER, "task": "{{ subtask.task }}"}
    tries = tuple(
        ask(template.agent, name, "{{ subtask.task }}", tools=tools, worker=about, alone=True)
        for name in ("first", "fresh")
    )
    value = {
        "response": "attempt[0].response",
        "task": "subtask.task",
        "id": f"subtask.id if subtask.id is defined else {_NUMBER[3:-3]}",
        "priority": "subtask.priority if subtask.priority is defined else none",
        "agent": json.dumps(template.agent),
        "status": "'completed'",
        "tokens": "attempt[0].tokens_estimated",
        "tokens_estimated": "attempt[0].tokens_estimated",
    }
    return Sequence(name="", children=(Select(name="try", children=tries),), into="attempt", value=value)

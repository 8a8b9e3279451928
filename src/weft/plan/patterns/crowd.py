"""Asking a group: one node that has a child for each entry of the group, and the pure steps that read the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.plan.nodes import Call, Expr, Graph, Join, Map, Node
from weft.plan.nodes import Sequence as InOrder
from weft.spec.model.swarm import Judge, Member, members
from weft.spec.model.workflow import Workflow

Json = Any


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: a word for it, and the form of the answer when the pattern goes on with one.

    An answer that never takes the form is read as plain words.
    """

    asks: str
    answer: Mapping[str, Json] | None = None


def in_form(asks: str, properties: Mapping[str, Json], instruction: str, *, required: bool = True) -> Question:
    """A question whose answer is a JSON object; its first property is required, unless an empty one has a meaning."""
    schema = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = [next(iter(properties))]
    return Question(asks, {"schema": schema, "instruction": instruction, "retries": 1, "fallback": None})


def choice_form(asks: str, name: str, choices: Sequence[str] | None, rest: str = "") -> Question:
    """The question for one of `choices`, or for a few words of the agent's own."""
    kind: dict[str, Json] = {"type": "string", "minLength": 1}
    offer, example = "Answer in a few words of your own, as JSON and nothing else:", "<your answer>"
    if choices is not None:
        kind["enum"] = list(choices)
        offer, example = "Choose one, word for word. Answer with JSON and nothing else:", f"<{' | '.join(choices)}>"
    properties: dict[str, Json] = {name: kind}
    shown = {name: example}
    if rest:
        properties[rest] = {"type": "string", "default": ""}
        shown[rest] = "<why, in one sentence>"
    return in_form(asks, properties, f"{offer} {json.dumps(shown, ensure_ascii=False)}")


def verbatim(text: str) -> str:
    """`text` as a template that renders to itself."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if "{" in text else text


def seats(crowd: Sequence[str | Member]) -> list[dict[str, Json]]:
    """The entries of a group as the pure steps know them."""
    return [
        {"name": one.name, "agent": one.agent, "weight": one.weight}
        | ({} if one.count is None else {"count": one.count})
        for one in members(list(crowd))
    ]


def ask_all(
    crowd: Sequence[str | Member],
    prompts: Mapping[str, str],
    question: Question,
    workflow: Workflow,
    *,
    best_effort: bool = False,
) -> Graph:
    """Everybody is asked at once: ``ask/<name>`` for one, ``ask/<name>[<name>-1]`` for each of many."""
    join = Join(policy="best_effort" if best_effort else "all")
    children = tuple(_asked(one, prompts[one.name], question, workflow, join) for one in members(list(crowd)))
    return Graph(name="ask", children=children, into="asked", max_parallel=workflow.runtime.max_parallel, join=join)


def ask_some(
    crowd: Sequence[str | Member], items: Expr, prompts: Mapping[str, str], question: Question, workflow: Workflow
) -> Graph:
    """Those are asked who stand in ``items[<name>]``, a list of maps with a ``member`` each; failures are values."""
    children = tuple(
        Map(
            name=one.name,
            items=f"{items}[{json.dumps(one.name)}]",
            item="item",
            key="item.member",
            body=agent_call("", one.agent, prompts[one.name], question),
            join=Join(policy="best_effort"),
            max_parallel=workflow.runtime.max_parallel,
        )
        for one in members(list(crowd))
    )
    return Graph(name="ask", children=children, into="asked", join=Join(policy="best_effort"))


def _asked(one: Member, prompt: str, question: Question, workflow: Workflow, join: Join) -> Node:
    if one.count is None:
        return agent_call(one.name, one.agent, prompt, question, {"member": one.name})
    numbers = f"range(1, {one.count + 1})"
    return Map(
        name=one.name,
        items=f"('{one.name}-' ~ ({numbers} | join(',{one.name}-'))).split(',')",
        item="member",
        key="member",
        body=agent_call("", one.agent, prompt, question),
        max_parallel=workflow.runtime.max_parallel,
        join=join,
    )


def agent_call(name: str, agent: str, prompt: str, question: Question, names: Mapping[str, str] | None = None) -> Call:
    """One question to an agent, without a memory of earlier ones."""
    return Call(
        name=name,
        performer="agent",
        target=agent,
        input={
            "prompt": prompt,
            "vars": dict(names or {}),
            "tools": None,
            "facts": {"agent": agent, "type": "agent"},
            "history": "none",
            "asks": question.asks,
            **({} if question.answer is None else {"answer": question.answer}),
        },
    )


def compute(name: str, function: str, settings: Mapping[str, Json], given: Mapping[str, Json]) -> Call:
    """A pure step: `function` of `settings` as they stand and of what is `given`, which is rendered."""
    return Call(
        name=name,
        performer="swarm",
        target=function,
        input={"settings": dict(settings), "given": dict(given)},
        effect="pure",
    )


def kept(name: str, *children: Node, into: str) -> InOrder:
    """Children whose values the nodes that follow can read, as the list `into`."""
    return InOrder(name=name, children=children, into=into)


def judge_call(judge: Judge, prompt: str, question: Question) -> Call:
    """The question to a judge, at ``judge``."""
    return agent_call("judge", judge.agent, prompt if judge.input is None else judge.input, question)


def questions(crowd: Sequence[str | Member], shared: str, rest: str) -> dict[str, str]:
    """What each entry is asked: its own input or the shared one, and then `rest`."""
    return {one.name: f"{shared if one.input is None else one.input}\n\n{rest}" for one in members(list(crowd))}

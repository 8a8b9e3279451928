"""Gossip: facts spread among many members, in rounds of exchanges with a few others."""

from __future__ import annotations

from weft.plan.nodes import Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import Question, ask_all, ask_some, compute, in_form, kept, questions, seats
from weft.spec.model.swarm import Gossip, members

_TELL = "Tell the one fact that the others should know, in one sentence and nothing else."
_HEARD = (
    "You are {{ item.member }}. You have heard:\n{% for fact in item.facts %}{{ loop.index }}. {{ fact }}\n{% endfor %}"
)
_ACCEPT = in_form(
    "belief",
    {"accept": {"type": "array", "items": {"type": "integer"}}},
    'Answer with JSON and nothing else, the numbers of what you believe and pass on: {"accept": [<number>, …]}',
)
_STATE = "{{ rounds[-1] if rounds else start[-1] }}"


def compile_gossip(pattern: Gossip, compiler: Compiler, name: str) -> Node:
    """``/begin``, then rounds at ``/round[0]/exchange``, with ``/round[0]/ask/<name>[<member>]`` when members judge."""
    config = pattern.config
    settings = {
        "seats": seats(config.agents),
        "fanout": config.fanout,
        "network": config.network.model_dump(mode="json"),
        "judges": config.believe is not None,
        "on_limit": config.on_limit,
    }
    question = compiler.opening if config.input is None else config.input
    facts = "{{ start[-1].facts }}"
    if config.facts is None:
        prompts = questions(config.agents, question, _TELL)
        learn = ask_all(config.agents, prompts, Question("fact"), compiler.workflow, best_effort=True)
        begin = kept("begin", learn, compute("known", "gossip.begin", settings, {"asked": "{{ asked }}"}), into="start")
    else:
        begin = kept("begin", compute("known", "gossip.begin", settings, {"facts": config.facts}), into="start")
    exchange = compute(
        "exchange",
        "gossip.exchange",
        settings,
        {"state": _STATE, "facts": facts, "iteration": "{{ iteration }}"},
    )
    children: tuple[Node, ...] = (exchange,)
    if config.believe is not None:
        names = [one.name for one in members(config.agents)]
        prompts = dict.fromkeys(names, f"{config.believe}\n\n{_HEARD}")
        judge = ask_some(config.agents, "parts[0].news", prompts, _ACCEPT, compiler.workflow)
        accept = compute("accept", "gossip.accept", settings, {"state": "{{ parts[0] }}", "asked": "{{ asked }}"})
        children = (exchange, judge, accept)
    result = compute(
        "result", "gossip.result", settings, {"state": _STATE, "facts": facts, "rounds": "{{ rounds | length }}"}
    )
    return Sequence(
        name=name,
        children=(
            begin,
            Loop(
                name="round",
                body=Sequence(name="", children=children, into="parts"),
                until="rounds[-1].converged",
                max_iterations=config.max_rounds,
                into="rounds",
            ),
            kept("end", result, into="ends"),
            Set(
                name="outcome",
                values={
                    "response": "ends[-1].response",
                    "facts": "ends[-1].facts",
                    "converged": "ends[-1].converged",
                },
            ),
        ),
    )

"""Handoff: an agent answers, or passes the conversation to another one."""

from __future__ import annotations

import json
from dataclasses import replace

from weft.plan.nodes import Branch, Call, Choose, Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import Question, agent_call, compute, verbatim
from weft.spec.model.swarm import Handoff, HandoffConfig

_CONVERSATION = "handoff"


def compile_handoff(pattern: Handoff, compiler: Compiler, name: str) -> Node:
    """Turns at ``/turn[0]/<agent>`` and ``/turn[0]/pass``, in one conversation that goes along."""
    config = pattern.config
    question = compiler.opening if config.input is None else config.input
    at = f"(turns[-1].to if turns else {json.dumps(config.start)})"
    turn = Sequence(
        name="",
        children=(
            Set(name="place", values={"at": at, "chain": "turns[-1].chain if turns else []"}),
            Choose(
                name="",
                branches=tuple(
                    Branch(when=f"at == {json.dumps(name)}", node=_turn(name, config, question))
                    for name in config.agents
                ),
            ),
            compute(
                "pass",
                "handoff.pass",
                {
                    "allowed": {name: desk.to for name, desk in config.agents.items()},
                    "max_handoffs": config.max_handoffs,
                },
                {"at": "{{ at }}", "chain": "{{ chain }}", "response": "{{ last_response }}"},
            ),
        ),
    )
    return Sequence(
        name=name,
        children=(
            Loop(
                name="turn",
                body=turn,
                until="turns[-1].done",
                max_iterations=config.max_handoffs + 1,
                into="turns",
            ),
            Set(
                name="outcome",
                values={
                    "response": "turns[-1].response",
                    "handoffs": "turns[-1].chain",
                    "answered_by": "turns[-1].at",
                },
            ),
        ),
    )


def _turn(name: str, config: HandoffConfig, question: str) -> Call:
    desk = config.agents[name]
    opening = question if desk.input is None else desk.input
    taken = (
        "{% if chain %}{{ chain[-1].from }} has handed this conversation over to you"
        "{% if chain[-1].reason %}, because: {{ chain[-1].reason }}{% endif %}."
        "{% if chain[-1].message %}\n{{ chain[-1].message }}{% endif %}\n\n{% endif %}"
    )
    call = agent_call(name, name, f"{taken}{opening}\n\n{_form(desk.to, config)}", Question("turn"))
    return replace(call, conversation=_CONVERSATION, input={**call.input, "history": "all"})


def _form(to: list[str], config: HandoffConfig) -> str:
    """How to answer; who has nobody to hand over to, or no handoff left, is not offered it."""
    if not to:
        return "Answer it yourself."
    known = "".join(f"- {name}: {verbatim(config.agents[name].description)}\n" for name in to if name in config.agents)
    return (
        f"{{% if chain | length < {config.max_handoffs} %}}Answer it yourself or, if it is not yours to answer, hand the"
        f" conversation over to one of:\n{known}"
        'To hand over, answer with JSON alone: {"handoff": "the name", "reason": "why", "message": "what it must know"}'
        "{% else %}Answer it yourself: nobody is left to hand it over to.{% endif %}"
    )

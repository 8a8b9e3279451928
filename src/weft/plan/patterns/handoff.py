"""Handoff: an agent answers, or passes the conversation to another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from weft.plan.nodes import Branch, Call, Choose, Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import Question, agent_call, compute
from weft.spec.model.swarm import Handoff, HandoffConfig

_CONVERSATION = "handoff"
_TAKEN = (
    "{% if chain %}{{ chain[-1].from }} has handed this conversation over to you"
    "{% if chain[-1].reason %}, because: {{ chain[-1].reason }}{% endif %}."
    "{% if chain[-1].message %}\n{{ chain[-1].message }}{% endif %}\n\n{% endif %}"
)


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
                branches=tuple(branch for each in sorted(config.agents) for branch in _turns(each, config, question)),
            ),
            compute(
                "pass",
                "handoff.pass",
                {
                    "allowed": {name: desk.to for name, desk in config.agents.items()},
                    "max_handoffs": config.max_handoffs,
                },
                {"at": "{{ at }}", "chain": "{{ chain }}", "turn": "{{ parts[1] }}"},
            ),
        ),
        into="parts",
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


def _turns(name: str, config: HandoffConfig, question: str) -> Iterator[Branch]:
    """The turn of one agent; who has nobody to hand over to, or no handoff left, is not offered it."""
    desk = config.agents[name]
    here = f"at == {json.dumps(name)}"
    if desk.to:
        yield Branch(
            when=f"{here} and chain | length < {config.max_handoffs}", node=_turn(name, config, question, desk.to)
        )
    yield Branch(when=here, node=_turn(name, config, question, []))


def _turn(name: str, config: HandoffConfig, question: str, to: list[str]) -> Call:
    desk = config.agents[name]
    opening = question if desk.input is None else desk.input
    closing = "" if to else "\n\nAnswer it yourself."
    call = agent_call(name, name, f"{_TAKEN}{opening}{closing}", _offer(to, config))
    return replace(call, conversation=_CONVERSATION, input={**call.input, "history": "all"})


def _offer(to: list[str], config: HandoffConfig) -> Question:
    if not to:
        return Question("turn")
    known = "".join(f"- {name}: {config.agents[name].description}\n" for name in to if name in config.agents)
    instruction = (
        "Answer it yourself or, if it is not yours to answer, hand the conversation over to one of these:\n"
        f"{known}To hand over, answer with JSON and nothing else: "
        f'{{"handoff": "<{" | ".join(to)}>", "reason": "<why>", "message": "<what it must know>"}}'
    )
    text = {"type": "string", "default": ""}
    properties = {"handoff": {"type": "string", "enum": to}, "reason": text, "message": text}
    schema = {"type": "object", "properties": properties, "required": ["handoff"]}
    # Any other answer is the answer itself, so nothing is asked twice.
    return Question("turn", {"schema": schema, "instruction": instruction, "retries": 0, "fallback": None})

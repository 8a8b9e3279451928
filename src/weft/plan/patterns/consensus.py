"""Consensus: many members agree on one decision, by ballots."""

from __future__ import annotations

from weft.plan.nodes import Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import ask_some, choice_form, compute, kept, questions, seats
from weft.spec.model.swarm import Consensus

_LAST = (
    "{% set tally = parts[0].tallies[item.group] %}"
    "{% if tally %}The last ballot had no result. The votes that you know of:\n"
    "{% for each in tally %}- {{ each.choice }}: {{ each.votes }}\n{% endfor %}"
    "{{ parts[0].needed }} must agree. You may change your mind to reach a decision.\n\n{% endif %}"
)
_WHO = "You are {{ item.member }}."


def compile_consensus(pattern: Consensus, compiler: Compiler, name: str) -> Node:
    """Ballots at ``/ballot[0]/call``, ``/ballot[0]/ask/<name>[<member>]`` and ``/ballot[0]/count``; then ``/end/result``."""
    config = pattern.config
    settings = {
        "seats": seats(config.agents),
        "choices": config.choices,
        "quorum": config.quorum,
        "fanout": config.fanout,
        "network": config.network.model_dump(mode="json"),
    }
    question = compiler.opening if config.input is None else config.input
    state = {"state": "{{ ballots[-1] if ballots else none }}", "iteration": "{{ iteration }}"}
    prompts = questions(config.agents, question, _LAST + _WHO)
    ballot = Sequence(
        name="",
        children=(
            compute("call", "consensus.call", settings, state),
            ask_some(
                config.agents, "parts[0].ask", prompts, choice_form("ballot", "vote", config.choices), compiler.workflow
            ),
            compute(
                "count", "consensus.count", settings, state | {"ask": "{{ parts[0].ask }}", "asked": "{{ asked }}"}
            ),
        ),
        into="parts",
    )
    result = compute(
        "result", "consensus.result", settings, {"last": "{{ ballots[-1] }}", "ballots": "{{ ballots | length }}"}
    )
    return Sequence(
        name=name,
        children=(
            Loop(
                name="ballot",
                body=ballot,
                until="ballots[-1].done",
                max_iterations=config.max_ballots,
                into="ballots",
            ),
            kept("end", result, into="ends"),
            Set(
                name="outcome",
                values={
                    "response": "ends[-1].response",
                    "decision": "ends[-1].decision",
                    "converged": "ends[-1].converged",
                    "tally": "ballots[-1].tally",
                },
            ),
        ),
    )

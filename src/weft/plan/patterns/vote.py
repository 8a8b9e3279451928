"""Vote: agents answer the same question, and a rule says which answer wins."""

from __future__ import annotations

from typing import Any

from weft.plan.nodes import Branch, Choose, Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import ask_all, choice_form, compute, judge_call, kept, questions, seats
from weft.spec.model.swarm import Vote, VoteConfig

_EARLIER = (
    "{% if rounds %}No answer has won yet. The votes of the last round:\n"
    "{% for choice, votes in rounds[-1].tally.items() %}- {{ choice }}: {{ votes }}\n{% endfor %}"
    "You may change your mind.\n\n{% endif %}"
)
_VOTES = (
    "The votes:\n{% for vote in votes %}- {{ vote.member }}: {{ vote.choice or 'no valid vote' }}"
    "{% if vote.reason %} ({{ vote.reason }}){% endif %}\n{% endfor %}\n"
)


def compile_vote(pattern: Vote, compiler: Compiler, name: str) -> Node:
    """Rounds at ``/round[0]/ask/<name>`` and ``/round[0]/count``; then ``/decision/judge`` and ``/decision/result``."""
    config = pattern.config
    question = compiler.opening if config.input is None else config.input
    settings: dict[str, Any] = {
        "seats": seats(config.agents),
        "choices": config.choices,
        "rule": config.rule,
        "quorum": config.quorum,
    }
    rounds = Loop(
        name="round",
        body=Sequence(
            name="",
            children=(
                ask_all(
                    config.agents,
                    questions(config.agents, question, _EARLIER),
                    choice_form("vote", "choice", config.choices, "reason"),
                    compiler.workflow,
                    best_effort=config.best_effort,
                ),
                compute("count", "vote.count", settings, {"asked": "{{ asked }}"}),
            ),
        ),
        until="rounds[-1].winner is not none",
        max_iterations=1 if config.rule == "judge" else config.rounds,
        into="rounds",
    )
    return Sequence(
        name=name,
        children=(
            rounds,
            Set(name="counted", values={"votes": "rounds[-1].votes", "tally": "rounds[-1].tally"}),
            kept("decision", *_decision(config, question, settings), into="ends"),
            Set(
                name="outcome",
                values={
                    "response": "ends[-1].response",
                    "winner": "ends[-1].winner",
                    "votes": "votes",
                    "tally": "tally",
                },
            ),
        ),
    )


def _decision(config: VoteConfig, question: str, settings: dict[str, Any]) -> tuple[Node, ...]:
    given = {"last": "{{ rounds[-1] }}", "rounds": "{{ rounds | length }}"}
    result = compute("result", "vote.result", settings, given)
    if config.judge is None:
        return (result,)
    form = choice_form("ruling", "choice", config.choices, "reason")
    judge = judge_call(config.judge, f"{question}\n\n{_VOTES}You decide.", form)
    ruled = compute(
        "result",
        "vote.result",
        settings,
        given | {"ruling": "{{ ends[0] }}"},
    )
    return (
        Choose(name="", branches=(Branch(when="rounds[-1].winner is none", node=judge),)),
        ruled,
    )

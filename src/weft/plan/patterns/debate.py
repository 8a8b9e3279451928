"""Debate: agents argue in rounds, and a judge sums up."""

from __future__ import annotations

from weft.plan.nodes import Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.crowd import Question, ask_all, compute, judge_call, kept, questions, seats
from weft.spec.model.swarm import Debate

_ROUNDS = (
    "{% if rounds %}What was said in the last round:\n"
    "{% for each in rounds[-1].statements %}{{ each.member }}{% if each.member == member %} (you){% endif %}: "
    "{{ each.text }}\n\n{% endfor %}"
    "Answer the others. Say where they have convinced you.\n\n{% endif %}"
)
_FORM = (
    "Say what you have to say to the others, and end with one line: Position: <what you stand for now, in a few words>"
)
_TRANSCRIPT = (
    "The debate:\n\n{% for each in transcript %}{{ each.member }}: {{ each.text }}\n\n{% endfor %}"
    "Sum it up: the strongest arguments, where they agree, and your conclusion."
)


def compile_debate(pattern: Debate, compiler: Compiler, name: str) -> Node:
    """Rounds at ``/round[0]/ask/<name>`` and ``/round[0]/listen``; then ``/end/judge`` and ``/end/result``."""
    config = pattern.config
    question = compiler.opening if config.input is None else config.input
    settings = {"seats": seats(config.agents), "max_chars": config.max_chars}
    rounds = Loop(
        name="round",
        body=Sequence(
            name="",
            children=(
                ask_all(
                    config.agents,
                    questions(config.agents, question, _ROUNDS + _FORM),
                    Question("statement"),
                    compiler.workflow,
                ),
                compute("listen", "debate.listen", settings, {"asked": "{{ asked }}"}),
            ),
        ),
        until="rounds[-1].agreed" if config.stop_on_agreement else "false",
        max_iterations=config.rounds,
        into="rounds",
    )
    given = {"last": "{{ rounds[-1] }}", "rounds": "{{ rounds | length }}"}
    end: tuple[Node, ...] = (compute("result", "debate.result", {}, given),)
    if config.judge is not None:
        judge = judge_call(config.judge, f"{question}\n\n{_TRANSCRIPT}", Question("verdict"))
        end = (judge, compute("result", "debate.result", {}, given | {"verdict": "{{ ends[0].response }}"}))
    return Sequence(
        name=name,
        children=(
            rounds,
            Set(
                name="said",
                values={
                    "transcript": "rounds | sum(attribute='statements', start=[])",
                    "agreed": "rounds[-1].agreed",
                    "position": "rounds[-1].position",
                },
            ),
            kept("end", *end, into="ends"),
            Set(
                name="outcome",
                values={key: key for key in ("transcript", "agreed", "position")} | {"response": "ends[-1].response"},
            ),
        ),
    )

"""Evaluator and optimizer: draft, score and revise until the score is good enough."""

from __future__ import annotations

from weft.core.errors import TemplateError
from weft.plan.nodes import Branch, Choose, Loop, Node, Sequence, Set
from weft.plan.patterns.answers import heard, score_answer
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.people import gate_of, verbatim
from weft.plan.patterns.scale import Scale, scale_of
from weft.plan.patterns.steps import ask
from weft.spec.model.patterns import Accept, EvaluatorConfig, EvaluatorOptimizer
from weft.spec.references import reads

EVALUATE = """\
Task:
{task}

Draft:
{{{{ draft }}}}"""
REVISE = """\
Revise your draft so that it scores higher.

Draft:
{{ draft }}

It scored {{ evaluation.score }} of {best}.
{% if evaluation.issues %}
Issues:
{% for issue in evaluation.issues %}- {{ issue }}
{% endfor %}{% endif %}{% if evaluation.fixes %}
Fixes:
{% for fix in evaluation.fixes %}- {{ fix }}
{% endfor %}{% endif %}
Answer with the whole revised text and nothing else."""
_STOPS = '["stop", "abort", "end"]'
_STATE = (
    "draft",
    "current_draft",
    "evaluation",
    "current_evaluation",
    "last_evaluation",
    "iterations",
    "final_score",
    "history",
    "accepted",
    "stale",
    "stopped",
    "hitl_response",
)
"""What a round leaves for the next one."""


def compile_evaluator(pattern: EvaluatorOptimizer, compiler: Compiler, name: str) -> Node:
    """The first draft at ``/draft``, then rounds at ``/round[0]`` with ``evaluate/evaluator``, ``review`` and ``revise/producer``."""
    config = pattern.config
    accept = config.accept
    task = _task(config, compiler)
    start = {
        "draft": "last_response",
        "current_draft": "last_response",
        "history": "[]",
        "stopped": "false",
        "min_score": f"{accept.min_score:g}",
        "max_iters": str(accept.max_iters),
    }
    rounds = Loop(
        name="round",
        body=_round(config, task, _scale(config, compiler)),
        until="accepted or stopped or stale",
        max_iterations=accept.max_iters,
        exports=_STATE,
    )
    end = {"last_response": "draft", "iterations": "history | length"}
    stuck = f", or for {accept.patience} without getting better" if accept.patience else ""
    rejected = f"the draft did not reach min_score {accept.min_score:g} in {accept.max_iters} evaluations{stuck}"
    return Sequence(
        name=name,
        children=(
            ask(config.producer, "draft", task),
            Set(name="start", values=start),
            rounds,
            Choose(
                name="accept",
                branches=(Branch(when="accepted or stopped", node=Set(name="end", values=end)),),
                required=rejected,
            ),
        ),
    )


def _task(config: EvaluatorConfig, compiler: Compiler) -> str:
    """The first message: the producer's prompt filled in, and the inputs when it names none of them."""
    prompt = compiler.workflow.inline_agents()[config.producer].prompt
    try:
        names = reads(prompt).names
    except TemplateError:
        return f"{verbatim(prompt)}\n\n{compiler.opening}"
    return prompt if names else f"{prompt}\n\n{compiler.opening}"


def _scale(config: EvaluatorConfig, compiler: Compiler) -> Scale:
    """The scale of the score: of what the evaluator is asked, of its own prompt, or of the prompt for a revision."""
    judge = compiler.workflow.inline_agents()[config.evaluator.agent].prompt
    asked = "\n".join(filter(None, (config.evaluator.input, judge, config.revise_prompt)))
    return scale_of(asked, config.accept.min_score)


def _round(config: EvaluatorConfig, task: str, scale: Scale) -> Sequence:
    accept = config.accept
    prompt = EVALUATE.format(task=task) if config.evaluator.input is None else config.evaluator.input
    entry = (
        '{"iteration": iteration, "score": evaluated[0].data.score, "issues": evaluated[0].data.issues, '
        '"fixes": evaluated[0].data.fixes}'
    )
    scored = {
        "evaluation": "evaluated[0].data",
        "current_evaluation": "evaluated[0].data",
        "last_evaluation": "evaluated[0].data",
        "final_score": "evaluated[0].data.score",
        "history": f"history + [{entry}]",
        "accepted": f"evaluated[0].data.score >= {accept.min_score:g}",
    }
    judged = {"iterations": "history", "stale": _stale(accept), "iteration_index": "iteration"}
    more = f"not accepted and not stale and not stopped and iteration < {accept.max_iters}"
    children: list[Node] = [
        Set(name="count", values={"iteration": "iteration + 1"}),
        heard(ask(config.evaluator.agent, "evaluator", prompt, answer=score_answer(scale)), "evaluate", "evaluated"),
        Set(name="scored", values=scored),
        Set(name="judged", values=judged),
    ]
    if config.review_gate is not None:
        children += [
            Choose(name="", branches=(Branch(when=more, node=gate_of(config.review_gate, "review")),)),
            Set(name="heard", values={"stopped": f"hitl_response is defined and {_says_stop()}"}),
        ]
    revise = Sequence(
        name="revise",
        children=(
            ask(
                config.producer,
                "producer",
                REVISE.replace("{best}", scale.ends[1]) if config.revise_prompt is None else config.revise_prompt,
            ),
            Set(name="revised", values={"draft": "last_response", "current_draft": "last_response"}),
        ),
        exports=("draft", "current_draft"),
    )
    children.append(Choose(name="", branches=(Branch(when=more, node=revise),)))
    return Sequence(name="", children=tuple(children), exports=_STATE)


def _says_stop() -> str:
    return f"(hitl_response | lower | trim) in {_STOPS}"


def _stale(accept: Accept) -> str:
    """Whether the last `patience` scores are not better than the best one before them."""
    if accept.patience is None:
        return "false"
    late, early = f"history[-{accept.patience}:]", f"history[:-{accept.patience}]"
    best = '{} | map(attribute="score") | sort | last'
    return f"history | length > {accept.patience} and ({best.format(late)}) <= ({best.format(early)})"

"""Saga: steps of which each can be undone, and are when a later one fails."""

from __future__ import annotations

from weft.plan.nodes import Block, Node, Sequence, Set
from weft.plan.patterns.compiler import PREVIOUS, Compiler, Slot
from weft.plan.patterns.flow import exported, series
from weft.plan.patterns.steps import retry_of
from weft.spec.expressions import literal
from weft.spec.model.flow import steps_of
from weft.spec.model.saga import Saga, SagaStep

REPORT = "saga"
"""What the report of a saga is called in the scope behind it."""


def compile_saga(pattern: Saga, compiler: Compiler, name: str) -> Node:
    """A block at ``/saga`` whose steps stand at ``/saga/steps/<id>`` and are undone at ``/saga/$undo[<id>]``."""
    config = pattern.config
    names = [step.id or f"step[{place}]" for place, step in enumerate(config.steps)]
    steps = [step for each in config.steps for step in steps_of(each.do)]
    left = exported(steps)
    children = tuple(
        _step(step, compiler, Slot(names[place], place, PREVIOUS if place else compiler.opening))
        for place, step in enumerate(config.steps)
    )
    saga = Block(
        name="saga",
        body=Sequence(name="steps", children=children, into="steps", exports=left),
        compensations={
            names[place]: _undoing(step, compiler, config.compensation_retries)
            for place, step in enumerate(config.steps)
            if step.compensate is not None
        },
    )
    done = {"status": "completed", "done": names, "undone": [], "not_undone": [], "error": None}
    report = literal(done)
    body: Node = saga
    if config.on_failure == "report":
        body = Block(name="attempt", body=saga, ends="tolerated", into="attempt")
        report = f"{report} if attempt.ok else {_failed()}"
    return Sequence(
        name=name,
        children=(body, Set(name="report", values={REPORT: report})),
        value={"response": "last_response if last_response is defined else ''", REPORT: REPORT},
        exports=("steps", REPORT, *left),
    )


def _step(step: SagaStep, compiler: Compiler, slot: Slot) -> Node:
    if isinstance(step.do, list):
        return series(step.do, compiler, slot.name, slot.prompt)
    return compiler.step(step.do, slot)


def _undoing(step: SagaStep, compiler: Compiler, retries: int) -> Node:
    undo = step.compensate
    assert undo is not None, "only steps that can be undone come here"
    body = series(undo, compiler, "") if isinstance(undo, list) else compiler.step(undo, Slot(""))
    return Block(name="undo", body=body, retry=retry_of(compiler.workflow.runtime.failure_policy, retries))


def _failed() -> str:
    """The report of a saga that failed: what its error says was undone, and what could not be."""
    ids = "attempt.error.ids"
    undone = f"{ids}.compensated if {ids} is defined and {ids}.compensated is defined else []"
    left = f"{ids}.not_compensated if {ids} is defined and {ids}.not_compensated is defined else []"
    return (
        f"{{'status': 'not_undone' if ({left}) else 'undone', 'done': [], "
        f"'undone': {undone}, 'not_undone': {left}, 'error': attempt.error}}"
    )

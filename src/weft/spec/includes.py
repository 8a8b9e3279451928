"""Other workflows that a document runs: loaded with it, so that what they need is known before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from weft.core.errors import Problem, SpecError
from weft.spec.model.base import Pointer, walk
from weft.spec.model.flow import WorkflowStep
from weft.spec.model.workflow import Workflow
from weft.spec.refs import Unresolved, bounds_of, located
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source

MOST = 8
"""Workflows run workflows at most so deep."""

Trail = tuple[Path, ...]
"""The files that lead to a document, outermost first, its own last."""


class _Report(Protocol):
    @property
    def workflow(self) -> Workflow | None: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def unsupported(self) -> tuple[Problem, ...]: ...


def include(
    workflow: Workflow, source: Source, folder: Path, trail: Trail, check: Callable[[Path, Trail], _Report]
) -> tuple[list[Problem], list[Problem]]:
    """Put every workflow that a step of `workflow` names into it; what is wrong with them, and what is not supported.

    `check` looks at one file. A file that leads back to one of `trail` is refused, and so is a nesting without end.
    """
    problems: list[Problem] = []
    missing: list[Problem] = []
    for pointer, step in walk(workflow.pattern, ("pattern",)):
        if not isinstance(step, WorkflowStep):
            continue
        spot = (*pointer, "workflow")
        known = workflow.included.get(step.workflow)
        if known is None:
            try:
                path = located(step.workflow, source, spot, folder, bounds_of(folder))
                report = _checked(path, source, spot, trail, check)
            except Unresolved as error:
                problems.append(error.problem)
                continue
            problems += report.problems
            missing += report.unsupported
            if report.workflow is None:
                message = f"the workflow {step.workflow!r} cannot be used: it has problems of its own"
                problems.append(source.problem("workflow", spot, message, "mend that file first"))
                continue
            known = report.workflow
            workflow.include(step.workflow, known)
        problems += _inputs(step, known, pointer, source)
    return problems, missing


def _checked(
    path: Path, source: Source, spot: Pointer, trail: Trail, check: Callable[[Path, Trail], _Report]
) -> _Report:
    if path in trail:
        ring = " → ".join(each.name for each in (*trail[trail.index(path) :], path))
        raise Unresolved(
            source.problem("cycle", spot, f"the workflows run each other without end: {ring}", "take one of them out")
        )
    if len(trail) >= MOST:
        message = f"workflows run workflows more than {MOST} deep here"
        raise Unresolved(source.problem("too-deep", spot, message, "put some of them together"))
    try:
        return check(path, trail)
    except SpecError as error:
        raise Unresolved(source.problem("reference", spot, error.message, error.fix)) from None


def _inputs(step: WorkflowStep, child: Workflow, pointer: Pointer, source: Source) -> Iterator[Problem]:
    """Inputs that the other workflow needs and is not given, and those that it does not know."""
    declared = child.inputs.names()
    for name in child.inputs.required:
        field = child.inputs.declared()[name]
        if name not in step.inputs and name not in child.inputs.values and field.default is None:
            message = f"{step.workflow!r} needs the input {name!r}"
            yield source.problem("missing-input", (*pointer, "inputs"), message, f"write it under `inputs`: {name}: …")
    for name in step.inputs:
        if name not in declared:
            fix = did_you_mean(name, declared, noun="declared there")
            message = f"{step.workflow!r} declares no input {name!r}"
            yield source.problem("undeclared-name", (*pointer, "inputs", name), message, fix, severity="warning")

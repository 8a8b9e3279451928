"""What is to be said about the text of a workflow before it is served: its problems, its plan, and how two versions differ."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.app.documents import overrides
from weft.app.service import ModelChoice
from weft.core.errors import InputError, Problem, SpecError
from weft.plan.codec import plan_hash
from weft.plan.compile import compile_workflow
from weft.plan.nodes import Plan
from weft.spec.load import check_text
from weft.spec.model.workflow import Workflow

NAME = "workflow.yaml"
"""What stands for the name of the file in places."""
_LINES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found in a text. `plan` is there when it can be run."""

    problems: Sequence[Problem]
    workflow: Workflow | None = None
    plan: Plan | None = None

    @property
    def plan_hash(self) -> str | None:
        """The hash of the plan."""
        return None if self.plan is None else plan_hash(self.plan)

    def demand(self) -> None:
        """Do nothing if it can be run.

        Raises:
            SpecError: it cannot; everything that is wrong is in it.
        """
        wrong = [problem for problem in self.problems if problem.severity == "error"]
        if wrong:
            first = wrong[0]
            raise SpecError(first.message, fix=first.fix, place=first.place, problems=wrong)


def examine(source: str, folder: Path, choice: ModelChoice) -> Examined:
    """Everything there is to say about a text; relative paths in it start at `folder`."""
    try:
        report = check_text(source, NAME, folder=folder)
        problems = [*report.problems, *report.unsupported]
        if report.workflow is None or report.unsupported or report.errors:
            return Examined(problems=problems, workflow=report.workflow)
        return Examined(
            problems=problems,
            workflow=report.workflow,
            plan=compile_workflow(report.workflow, overrides(choice)),
        )
    except SpecError as error:
        own = Problem(rule=error.code, message=error.message, fix=error.fix, place=error.place)
        return Examined(problems=error.problems or (own,))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDiff:
    """How two texts differ: a unified diff, and how many lines it adds and removes."""

    text: str
    added: int
    removed: int


def compare(first: str, second: str, names: tuple[str, str]) -> TextDiff:
    """How two texts differ, line by line.

    Raises:
        InputError: they are too long to be compared.
    """
    one, other = first.splitlines(), second.splitlines()
    if first != second and max(len(one), len(other)) > _LINES:
        raise InputError(f"texts of more than {_LINES} lines are not compared", fix="read both, and compare them there")
    lines = [] if first == second else list(difflib.unified_diff(one, other, *names, lineterm=""))
    return TextDiff(
        text="\n".join(lines),
        added=sum(line.startswith("+") for line in lines[2:]),
        removed=sum(line.startswith("-") for line in lines[2:]),
    )

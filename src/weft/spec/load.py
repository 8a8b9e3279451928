"""From a file to a checked, self-contained workflow, with every problem found on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from weft.core.errors import Place, Problem, SpecError
from weft.spec.attachments import attach
from weft.spec.files import parse, read_source
from weft.spec.includes import Trail, include
from weft.spec.lint import lint
from weft.spec.model.workflow import Workflow
from weft.spec.problems import MAX_PROBLEMS, structure_problems
from weft.spec.refs import resolve_references
from weft.spec.repair import independent, repaired, whole_numbers
from weft.spec.support import unsupported
from weft.spec.tree import DocumentError, Source, as_problem, plain_data, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in a document.

    `workflow` is there unless a problem is an error. `problems` holds errors and warnings in the order of the file;
    `unsupported` what the document may say but this version does not run.
    """

    file: str
    workflow: Workflow | None
    problems: tuple[Problem, ...]
    unsupported: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the document from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that do not."""
        return tuple(problem for problem in self.problems if problem.severity != "error")


def check(path: Path | str) -> Report:
    """Everything there is to say about the file at `path`.

    Raises:
        SpecError: the file cannot be read or parsed at all; carries one problem.
    """
    return _check_file(Path(path), ())


def check_text(text: str, name: str, *, folder: Path | None = None) -> Report:
    """Like `check` for `text`; `name` stands for it in places, and ``.json`` at its end selects JSON.

    Relative paths in it start at `folder`, by default the folder of `name`.

    Raises:
        SpecError: `text` cannot be parsed at all.
    """
    return _check(parse(text, name, on=True), folder or Path(name).parent)


def check_source(source: Source, folder: Path) -> Report:
    """Like `check` for a document that is a tree already; relative paths in it start at `folder`."""
    return _check(source, folder)


def load(path: Path | str) -> Workflow:
    """The workflow in the file at `path`.

    It may use what this version does not run: see `weft.spec.support.unsupported`.

    Raises:
        SpecError: the file is missing, unreadable or wrong; `problems` names everything that is.
    """
    return checked(check(path))


def load_text(text: str, name: str, *, folder: Path | None = None) -> Workflow:
    """The workflow in `text`; see `check_text`.

    Raises:
        SpecError: `text` is wrong; `problems` names everything that is.
    """
    return checked(check_text(text, name, folder=folder))


def _check_file(path: Path, trail: Trail) -> Report:
    return _check(read_source(path, on=True), path.parent, (*trail, path.resolve()))


def checked(report: Report) -> Workflow:
    """The workflow that a report is about.

    Raises:
        SpecError: it has errors.
    """
    errors = report.errors
    if report.workflow is not None and not errors:
        return report.workflow
    count = f"{len(errors)} problem" + ("" if len(errors) == 1 else "s")
    first = errors[0]
    raise SpecError(
        f"{report.file} has {count}; the first: {first.message}",
        fix=first.fix,
        place=Place(file=report.file, line=first.place.line, column=first.place.column, pointer=first.place.pointer),
        problems=report.problems,
    )


def _check(source: Source, folder: Path, trail: Trail = ()) -> Report:
    try:
        data = plain_data(source.root)
        if not isinstance(data, dict):
            fix = "start with `version: 0`, `name:`, `runtime:`, `agents:` and `pattern:`"
            raise DocumentError("wrong-type", "a workflow is a map", fix, 1, 1)
    except DocumentError as error:
        raise refused(source.file, *source.faults, error) from None
    problems = resolve_references(data, source, folder)
    workflow, structural = _validate(data, source)
    problems += structural
    found: list[Problem] = []
    missing: list[Problem] = []
    if workflow is not None:
        found = lint(workflow, source)
        missing = unsupported(workflow, source)
        wrong, more = include(workflow, source, folder, trail, _check_file)
        found += wrong
        missing += more
        # After the checks, which are about what the file says.
        workflow, wrong = attach(workflow, source, folder)
        found += wrong
        found = independent(found, problems)
    faults = [as_problem(source.file, fault) for fault in source.faults]
    problems = faults + [each for each in problems + found if not source.broken(each.place)]
    ordered = sorted(dict.fromkeys(problems), key=_order)[:MAX_PROBLEMS]
    valid = workflow if not any(problem.severity == "error" for problem in ordered) else None
    return Report(
        file=source.file, workflow=valid, problems=tuple(ordered), unsupported=tuple(sorted(missing, key=_order))
    )


def _validate(data: dict[str, Any], source: Source) -> tuple[Workflow | None, list[Problem]]:
    """The workflow and what is wrong with its structure; the workflow of what is left when that can be read."""
    try:
        return Workflow.model_validate(data), []
    except ValidationError as error:
        if whole_numbers(error, data):
            return _validate(data, source)
        problems = structure_problems(error, data, source)
        # With so many nobody reads what else there is.
        return (repaired(error, data) if len(problems) < MAX_PROBLEMS else None), problems


def _order(problem: Problem) -> tuple[int, int, str]:
    return problem.place.line or 0, problem.place.column or 0, problem.rule

"""``weft validate``, ``weft plan`` and ``weft schema``: questions about files, which need no settings and no journal."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from weft.app.local import LocalService
from weft.app.service import Checked
from weft.cli.commands import DIAGRAMS, PREVIEW, SCHEMA
from weft.cli.options import AsJson, BaseUrl, File, Model, Offline, Provider, choice
from weft.cli.render.problems import problem_lines, summary
from weft.cli.terminal import clean, paint, say, say_json, symbol
from weft.core.errors import EXIT_CODES, Problem, SpecError


def validate(
    file: File,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> int:
    """Check a workflow file and name every problem with its place. Warnings alone are no failure."""
    try:
        checked = LocalService().check(file, choice(provider, model, base_url, offline=offline))
        code = EXIT_CODES[SpecError.code] if checked.errors else 0
    except SpecError as error:
        if not error.problems:
            raise
        checked = Checked(file=file, problems=error.problems)
        code = EXIT_CODES[error.code]
    if as_json:
        say_json(_checked_json(checked, code))
        return code
    for problem in checked.problems:
        for line in problem_lines(problem, sys.stdout):
            say(line)
    if checked.problems:
        say(summary(checked.problems, sys.stdout))
    if code == 0:
        mark = paint(symbol("✓", "ok:"), "green")
        say(f"{mark} {clean(str(file))}: {clean(checked.workflow)} can be run (plan {checked.plan_hash[:12]})")
    return code


def plan(
    file: File,
    form: Annotated[
        Literal["tree", "mermaid", "dot", "svg", "json", "md"], typer.Option("--format", help="How to show it.")
    ] = "tree",
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    request: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Show what this would become (pattern `plan`).", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the plan that a workflow compiles into. --json is --format json.

    With --request, show the plan that it would make of a request instead, and what that would take; nothing is run or kept.
    """
    if request is not None:
        found = LocalService().preview(file, request, choice(provider, model, base_url, offline=offline))
        code: int = PREVIEW.load()(found, as_json=as_json)
        return code
    made = LocalService().plan(file, choice(provider, model, base_url, offline=offline))
    draw: Any = DIAGRAMS["json" if as_json else form].load()
    if as_json or form == "json":
        say_json(draw(made))
    else:
        say(clean(draw(made)).rstrip("\n"))
    return 0


def schema(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which it always does.")] = False,
) -> None:
    """Print the JSON Schema (draft 2020-12) of workflow files, for editors."""
    del as_json
    say_json(SCHEMA.load()())


def _checked_json(checked: Checked, code: int) -> dict[str, Any]:
    return {
        "file": str(checked.file),
        "workflow": checked.workflow,
        "valid": code == 0,
        "plan_hash": checked.plan_hash or None,
        "problems": [_problem_json(problem) for problem in checked.problems],
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    absent = dict.fromkeys(("file", "line", "column", "pointer"))
    return {**absent, **problem.as_json()}

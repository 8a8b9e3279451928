"""Workflow files: what is wrong with them, and what they become."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.app.alone import MESSAGE, alone, conversing
from weft.app.compiled import CompiledFiles
from weft.app.parts import load as part
from weft.app.secret_needs import lacking
from weft.app.service import UNSET, Checked, ModelChoice
from weft.core.errors import InputError, Place, Problem, SpecError, UnsupportedError
from weft.plan.codec import plan_hash
from weft.plan.compile import compile_workflow
from weft.plan.definitions import DEFAULT_MODELS, PROVIDERS, Overrides
from weft.plan.nodes import Block, Plan
from weft.plan.scope import initial_scope
from weft.python.naming import named
from weft.spec import load
from weft.spec.files import read_source
from weft.spec.inputs import ResolvedInputs, resolve_inputs
from weft.spec.inputs import missing_inputs as missing_of
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean

if TYPE_CHECKING:  # types only: what loads Python files is loaded when somebody names one
    from weft.app.programs import PythonWorkflows


@dataclass(frozen=True, slots=True)
class Kept:
    """What a process keeps of files while they stay as they are: Python files that are loaded, workflow files that are compiled."""

    programs: PythonWorkflows | None = None
    compiled: CompiledFiles = field(default_factory=CompiledFiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a run is started with, and what is odd about it without being wrong."""

    plan: Plan
    scope: Mapping[str, Any]
    inputs: Mapping[str, Any]
    warnings: tuple[Problem, ...]


def check(file: Path, choice: ModelChoice, programs: PythonWorkflows | None = None) -> Checked:
    """See `Service.check`. `programs` are the Python files that are loaded already."""
    target = named(file)
    report = load.check(file) if target is None else _python(programs).report(target)
    if report is None:
        made = plan(file, choice, programs)
        return Checked(file=file, problems=[], workflow=made.workflow, plan_hash=plan_hash(made))
    if report.workflow is None:
        return Checked(file=file, problems=[*report.problems, *report.unsupported])
    if report.unsupported:
        raise _refusal(file, report.unsupported)
    compiled = compile_workflow(report.workflow, overrides(choice))
    problems = [*report.problems, *_unpriced(compiled, file), *_unset(compiled, file)]
    return Checked(file=file, problems=problems, workflow=compiled.workflow, plan_hash=plan_hash(compiled))


def check_text(text: str, capability: bool, *, folder: Path) -> dict[str, Any]:
    """What a look at the text of a workflow found, as JSON; with `capability`, what this version does not run too."""
    try:
        report = load.check_text(text, "workflow.yaml", folder=folder)
        problems = [*report.problems, *(report.unsupported if capability else ())]
        name = report.workflow.name if report.workflow else ""
    except SpecError as error:
        problems, name = list(error.problems), ""
    wrong = any(problem.severity == "error" for problem in problems) or not name
    return {"valid": not wrong, "workflow": name, "problems": [problem.as_json() for problem in problems]}


def plan(file: Path, choice: ModelChoice, programs: PythonWorkflows | None = None) -> Plan:
    """See `Service.plan`. `programs` are the Python files that are loaded already."""
    target = named(file)
    if target is not None:
        return _priced(_python(programs).plan(target, overrides(choice)), file)
    return _compiled(load.load(file), file, choice)


def _python(programs: PythonWorkflows | None) -> PythonWorkflows:
    return programs or part("programs").PythonWorkflows()


def _compiled(workflow: Workflow, file: Path, choice: ModelChoice) -> Plan:
    try:
        compiled = compile_workflow(workflow, overrides(choice))
    except UnsupportedError as error:
        # The file's own positions are better than the document's pointers alone.
        raise _refusal(file, load.check(file).unsupported or error.problems) from error
    return _priced(compiled, file)


def _priced(compiled: Plan, file: Path) -> Plan:
    if problems := list(_unpriced(compiled, file)):
        first = problems[0]
        raise SpecError(first.message, fix=first.fix, place=first.place, problems=problems)
    return compiled


def prepare(
    file: Path,
    variables: Mapping[str, Any],
    choice: ModelChoice,
    *,
    session: str,
    at: str,
    agent: str = "",
    kept: Kept | None = None,
) -> Prepared:
    """What a run of `file`, or of one `agent` of it, with these variables is started with; `at` is the time in ISO 8601.

    Raises:
        SpecError: the file has problems.
        InputError: inputs are missing or wrong.
    """
    kept = kept or Kept()
    if named(file) is None:
        workflow, compiled = kept.compiled.made(file, agent, choice, partial(_made, file, agent, choice))
        resolved = resolve_inputs(workflow, variables)
    else:
        compiled, resolved = _prepared(file, variables, choice, agent, _python(kept.programs))
    scope = initial_scope(compiled, resolved.values, session_id=session, started_at=at)
    return Prepared(plan=compiled, scope=scope, inputs=resolved.values, warnings=resolved.warnings)


def _made(file: Path, agent: str, choice: ModelChoice) -> tuple[Workflow, Plan]:
    return _as_asked(load.load(file), file, agent, choice)


def _as_asked(workflow: Workflow, file: Path, agent: str, choice: ModelChoice) -> tuple[Workflow, Plan]:
    """A workflow, or one agent of it as a workflow by itself, and its plan."""
    if not agent:
        return workflow, _compiled(workflow, file, choice)
    single = alone(workflow, agent)
    return single, conversing(_compiled(single, file, choice))


def _prepared(
    file: Path, variables: Mapping[str, Any], choice: ModelChoice, agent: str, programs: PythonWorkflows
) -> tuple[Plan, ResolvedInputs]:
    """The plan and the inputs of what stands in a Python file."""
    target = named(file)
    assert target is not None, "it was asked before"
    workflow = programs.workflow(target)
    if workflow is not None:
        workflow, compiled = _as_asked(workflow, file, agent, choice)
        return compiled, resolve_inputs(workflow, variables)
    if agent:
        raise UnsupportedError(
            f"{file} is a function, and has no agents that can be talked to alone", fix="build it with `weft.build`"
        )
    return _priced(programs.plan(target, overrides(choice)), file), programs.inputs(target, variables)


def plan_alone(workflow: Workflow, agent: str, file: Path, choice: ModelChoice) -> Prepared:
    """One agent of a workflow by itself, as a plan that others may run as a child: all but its message is given.

    Raises:
        SpecError: the file has problems.
        InputError: it needs more than a message.
    """
    single, compiled = _as_asked(workflow, file, agent, choice)
    resolved = resolve_inputs(single, {MESSAGE: ""})
    scope = initial_scope(compiled, resolved.values)
    return Prepared(plan=compiled, scope=scope, inputs=resolved.values, warnings=())


def missing_inputs(
    file: Path, variables: Mapping[str, Any], programs: PythonWorkflows | None = None
) -> Mapping[str, str]:
    """See `Service.missing_inputs`."""
    target = named(file)
    if target is not None:
        return _python(programs).missing(target, variables)
    return {name: field.description or "" for name, field in missing_of(load.load(file), variables).items()}


def overrides(choice: ModelChoice) -> Overrides:
    """A choice of model as plans are compiled with it.

    Raises:
        InputError: there is no such provider.
    """
    # Read from the language's own tables: the registry of models would cost `weft validate` too much.
    known = {*DEFAULT_MODELS, *PROVIDERS, *PROVIDERS.values()}
    if choice.provider is not None and choice.provider not in known:
        fix = did_you_mean(choice.provider, known, noun="providers")
        raise InputError(f"there is no provider {choice.provider!r}", fix=fix)
    return Overrides(provider=choice.provider, model=choice.model, base_url=choice.base_url, offline=choice.offline)


def _refusal(file: Path, problems: tuple[Problem, ...]) -> UnsupportedError:
    count = f"{len(problems)} thing{'' if len(problems) == 1 else 's'}"
    return UnsupportedError(
        f"{file} uses {count} that this version does not run",
        fix=problems[0].fix,
        place=problems[0].place,
        problems=problems,
    )


def _unset(compiled: Plan, file: Path) -> Iterator[Problem]:
    """A run would be refused for want of these secrets; where it runs they may be there."""
    for error in lacking(compiled, file, os.environ):
        yield Problem(rule=UNSET, message=error.message, fix=error.fix, place=error.place, severity="warning")


def _unpriced(compiled: Plan, file: Path) -> Iterator[Problem]:
    """A budget in money cannot hold for a model whose price nobody knows."""
    root = compiled.root
    if not isinstance(root, Block) or root.budget is None or root.budget.max_cost is None:
        return
    from weft.models.prices import is_priced  # noqa: PLC0415 -- the price list, only for files with a budget in money
    from weft.models.ref import ModelRef  # noqa: PLC0415 -- same

    place = Place(file=str(file), pointer="/runtime/budgets/max_cost_usd")
    if named(file) is None:
        place = read_source(file).place(("runtime", "budgets", "max_cost_usd"))
    for name, agent in (compiled.definitions.get("agents") or {}).items():
        if "model" in agent and not is_priced(ModelRef.parse(agent["model"])):
            yield Problem(
                rule="unpriced",
                message=f"max_cost_usd cannot hold: the price of {agent['model']}, which agent {name!r} uses, is not known",
                fix="use max_tokens instead, or a model with a known price",
                place=place,
            )

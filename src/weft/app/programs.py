"""Workflows in Python files: what is wrong with them, what they become, and the functions that their runs need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weft.core.canonical import digest
from weft.core.errors import InputError, NotFoundError, SpecError
from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides
from weft.plan.nodes import Plan, Program
from weft.python.build.document import Document
from weft.python.code import made_of
from weft.python.files import Files
from weft.python.naming import Named, folder_of, named
from weft.python.planning import PARTS, PROGRAM, inputs_of, plan_of
from weft.python.programs import Loaded
from weft.python.tools import ToolFunction
from weft.python.workflows import WorkflowFunction
from weft.spec.inputs import ResolvedInputs, missing, resolve
from weft.spec.load import Report
from weft.spec.model.inputs import Inputs
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.tools.port import Tool
from weft.tools.threads import Threads


class PythonWorkflows:
    """The Python files of one application. Implements `weft.engine.programs.port.Programs` over them."""

    def __init__(self) -> None:
        self._files = Files()
        self._threads = Threads()
        self._folders: dict[str, Path] = {}

    def report(self, target: Named) -> Report | None:
        """What is wrong with the document that `target` names; None for a function."""
        found = self._files.find(target)
        return found.report() if isinstance(found, Document) else None

    def workflow(self, target: Named) -> Workflow | None:
        """The checked workflow of a document that `target` names; None for a function."""
        found = self._files.find(target)
        return found.workflow() if isinstance(found, Document) else None

    def plan(self, target: Named, overrides: Overrides) -> Plan:
        """The plan of what `target` names.

        Raises:
            SpecError: it has problems.
        """
        found = self._files.find(target)
        if isinstance(found, Document):
            return compile_workflow(found.workflow(), overrides)
        folder = target.file.resolve().parent
        plan = plan_of(found, folder, overrides)
        self._know(plan, folder)
        return plan

    def inputs(self, target: Named, variables: Mapping[str, Any]) -> ResolvedInputs:
        """The inputs of a run of a function.

        Raises:
            InputError: values are missing, do not fit, or are for no parameter.
        """
        declared = self._declared(target)
        if unknown := sorted(set(variables) - declared.names()):
            fix = did_you_mean(unknown[0], declared.names(), noun="its parameters")
            raise InputError(f"{target} takes no {unknown[0]!r}", fix=fix)
        return resolve(declared, variables)

    def missing(self, target: Named, variables: Mapping[str, Any]) -> Mapping[str, str]:
        """The parameters of a function that have no value yet."""
        return {name: field.description or "" for name, field in missing(self._declared(target), variables).items()}

    def load(self, node: Program, options: Mapping[str, Any]) -> Loaded:
        """See `Programs.load`."""
        folder = folder_of(Path(str(options.get("file") or "")))
        found = self._files.find(_target(folder, node.function))
        if not isinstance(found, WorkflowFunction):
            raise SpecError(f"{node.function} is no workflow function", fix="write `@weft.workflow` above it")
        parts = made_of(found.function, folder).parts
        self._folders[digest(parts)] = folder
        return Loaded(found, parts)

    def tools(self, plan: Plan) -> dict[str, Tool]:
        """The tools of `plan` that are functions of its file.

        Raises:
            SpecError: one of them is not there.
            NotFoundError: nobody has loaded the file of this plan.
        """
        own = {name: one for name, one in _tools(plan).items() if one.get("kind") == PROGRAM}
        if not own:
            return {}
        folder = self._folders.get(str(plan.definitions.get(PARTS)))
        if folder is None:
            raise NotFoundError("the file with the tools of this plan is not loaded", fix="`weft resume` the run")
        return {name: self._tool(_target(folder, str(one["function"]))) for name, one in own.items()}

    def _tool(self, target: Named) -> Tool:
        found = vars(self._files.module(target.file)).get(target.name)
        if not isinstance(found, ToolFunction):
            raise SpecError(f"{target} is no tool", fix="write `@weft.tool` above the function")
        return found.built(self._threads)

    def _declared(self, target: Named) -> Inputs:
        found = self._files.find(target)
        return found.workflow().inputs if isinstance(found, Document) else inputs_of(found)

    def _know(self, plan: Plan, folder: Path) -> None:
        if parts := plan.definitions.get(PARTS):
            self._folders[str(parts)] = folder
        for child in plan.children.values():
            self._know(child, folder)


def without_programs(plan: Plan) -> Plan:
    """`plan` without the tools that `PythonWorkflows.tools` gives."""
    rest = {name: one for name, one in _tools(plan).items() if one.get("kind") != PROGRAM}
    return replace(plan, definitions={**plan.definitions, "tools": rest})


def _tools(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    tools: Mapping[str, Mapping[str, Any]] = plan.definitions.get("tools") or {}
    return tools


def _target(folder: Path, function: str) -> Named:
    file, _, name = function.rpartition(":")
    return Named(folder / file, name)


__all__ = ["PythonWorkflows", "named", "without_programs"]

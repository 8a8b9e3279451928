"""From a workflow function to a plan: one program, the agents and tools that its code uses, and the workflows that it runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from weft.core.canonical import digest
from weft.core.errors import Place, Problem, SpecError
from weft.plan.compile import compile_workflow
from weft.plan.definitions import Overrides, definitions
from weft.plan.nodes import Block, Plan, Program
from weft.plan.patterns.steps import budget_of, retry_of
from weft.python.agents import AgentFunction
from weft.python.build.document import Document
from weft.python.code import Made, made_of
from weft.python.shapes import hints
from weft.python.tools import ToolFunction
from weft.python.workflows import WorkflowFunction
from weft.spec.model.agents import Agent
from weft.spec.model.base import Section
from weft.spec.model.inputs import Inputs
from weft.spec.model.runtime import Runtime
from weft.spec.model.tools import Tools
from weft.spec.model.workflow import Workflow
from weft.spec.support import builtin_id

S = TypeVar("S", bound=BaseModel)
PROGRAM = "program"
"""The kind of a tool that is a function of the run's file."""
PARTS = "program"
"""The name under which a plan's definitions have the hash of its code."""
_KINDS: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    tuple: "array",
    set: "array",
    frozenset: "array",
}


class _Function(Section):
    """Stands where a document has its pattern."""

    type: str = PROGRAM


def plan_of(
    workflow: WorkflowFunction[..., Any], folder: Path, overrides: Overrides, trail: tuple[str, ...] = ()
) -> Plan:
    """The plan of `workflow`, whose code is looked for below `folder`: always the same for the same code.

    Raises:
        SpecError: it cannot be run.
    """
    function = workflow.function
    if workflow.name in trail:
        raise _error(workflow, f"the workflow {workflow.name!r} runs itself", "take one of the runs out")
    if "<locals>" in function.__qualname__ or "." in function.__qualname__:
        raise _error(
            workflow, f"the workflow {workflow.name!r} is made inside something", "write it at the top of its file"
        )
    made = made_of(function, folder)
    file = _place_below(workflow, function, folder)
    tools = _tools(workflow, made, folder)
    document = _document(workflow, made)
    about = definitions(document, overrides)
    for name, agent in _agents(workflow, made).items():
        about["agents"][name]["prompt_template"] = agent.is_template()
    about["tools"] = {**about["tools"], **tools}
    about[PARTS] = digest(made.parts)
    policy = document.runtime.failure_policy
    program = Program(
        name="",
        function=f"{file}:{function.__name__}",
        parts=made.parts,
        takes=tuple(inspect.signature(function).parameters),
    )
    root = Block(
        name="", body=program, retry=retry_of(policy, policy.retries), budget=budget_of(document.runtime.budgets)
    )
    children = dict(_children(workflow, made, folder, overrides, (*trail, workflow.name)))
    return Plan(workflow=workflow.name, root=root, definitions=about, children=children)


def inputs_of(workflow: WorkflowFunction[..., Any]) -> Inputs:
    """The inputs of a workflow function: its parameters, by their types.

    Raises:
        SpecError: one of them cannot be an input.
    """
    types = hints(workflow.function)
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, parameter in inspect.signature(workflow.function).parameters.items():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise _error(workflow, f"the parameter {name!r} cannot be given by name", "use ordinary parameters")
        kind = _kind(types.get(name, str))
        if parameter.default is parameter.empty:
            required[name] = kind
        else:
            optional[name] = kind
    return Inputs.model_validate({"required": required, "optional": optional})


def _kind(hint: Any) -> str:
    """The type of an input, for texts from a command line."""
    origin = get_origin(hint) or hint
    if origin in _KINDS:
        return _KINDS[origin]
    choices = get_args(hint)
    if choices and all(isinstance(choice, str) for choice in choices):
        return "string"
    kinds = (
        {_kind(choice) for choice in choices if choice is not type(None)} if choices and origin is not dict else set()
    )
    return kinds.pop() if len(kinds) == 1 else "object"


def _document(workflow: WorkflowFunction[..., Any], made: Made) -> Workflow:
    """What a document would say, its pattern apart."""
    agents = {
        name: _valid(Agent, agent.definition(), workflow, f"the agent {name!r}")
        for name, agent in _agents(workflow, made).items()
    }
    said = workflow.options.runtime()
    if agents and "provider" not in said and any(agent.provider is None for agent in agents.values()):
        raise _error(
            workflow,
            f"the workflow {workflow.name!r} has agents and no provider",
            'write `@weft.workflow(provider="openai")`',
        )
    builtin = {name for agent in agents.values() for name in agent.tools or () if builtin_id(name)}
    return Workflow.model_construct(
        version=1,
        name=workflow.name,
        description=_summary(workflow),
        runtime=_valid(Runtime, {"provider": "offline", **said}, workflow, "the runtime"),
        agents=agents,
        tools=_valid(Tools, {"python": sorted(builtin)}, workflow, "a tool"),
        pattern=_Function(),
    )


def _agents(workflow: WorkflowFunction[..., Any], made: Made) -> dict[str, AgentFunction[..., Any]]:
    return _by_name(workflow, [one for one in made.values if isinstance(one, AgentFunction)], "agents")


def _tools(workflow: WorkflowFunction[..., Any], made: Made, folder: Path) -> dict[str, Any]:
    used = [one for one in made.values if isinstance(one, ToolFunction)]
    for agent in _agents(workflow, made).values():
        used += [tool for tool in agent.options.tools if isinstance(tool, ToolFunction)]
    found = {}
    for name, tool in _by_name(workflow, used, "tools").items():
        where = _place_below(workflow, tool.function, folder)
        code = digest(made_of(tool.function, folder).parts)
        found[name] = {"kind": PROGRAM, "function": f"{where}:{name}", "code": code, **tool.definition()}
    return found


def _place_below(workflow: WorkflowFunction[..., Any], function: Callable[..., Any], folder: Path) -> str:
    """The file of `function`, relative to `folder`."""
    file = Path(inspect.getsourcefile(function) or "").resolve()
    if not file.is_relative_to(folder.resolve()):
        raise _error(
            workflow,
            f"{function.__name__!r} stands in {file}, outside {folder}",
            "workflows and tools stand in the workflow's file or below its folder: wrap it in a function there",
        )
    return file.relative_to(folder.resolve()).as_posix()


N = TypeVar("N", AgentFunction[..., Any], ToolFunction[..., Any])


def _by_name(workflow: WorkflowFunction[..., Any], found: Iterable[N], noun: str) -> dict[str, N]:
    named: dict[str, N] = {}
    for one in found:
        if named.setdefault(one.name, one) is not one:
            raise _error(workflow, f"two {noun} are called {one.name!r}", "give one of them another name")
    return dict(sorted(named.items()))


def _children(
    workflow: WorkflowFunction[..., Any], made: Made, folder: Path, overrides: Overrides, trail: tuple[str, ...]
) -> Iterable[tuple[str, Plan]]:
    for one in made.values:
        if isinstance(one, WorkflowFunction) and one is not workflow:
            yield one.name, plan_of(one, folder, overrides, trail)
        elif isinstance(one, Document):
            checked = one.workflow()
            yield checked.name, compile_workflow(checked, overrides)


def _summary(workflow: WorkflowFunction[..., Any]) -> str:
    return inspect.cleandoc(workflow.function.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _valid(model: type[S], data: Mapping[str, Any], workflow: WorkflowFunction[..., Any], what: str) -> S:
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _error(workflow, f"{what} is not valid: {where}: {first['msg']}", "correct it") from error


def _error(workflow: WorkflowFunction[..., Any], message: str, fix: str) -> SpecError:
    place = place_of(workflow)
    return SpecError(
        message, fix=fix, place=place, problems=(Problem(rule="python", message=message, fix=fix, place=place),)
    )


def place_of(workflow: WorkflowFunction[..., Any]) -> Place:
    """Where it is written."""
    code = workflow.function.__code__
    return Place(file=code.co_filename, line=code.co_firstlineno)

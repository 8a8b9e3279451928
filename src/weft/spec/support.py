"""What a document may say and this version does not run, named pointer by pointer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from weft.core.errors import Place, Problem
from weft.spec.model.agents import Agent
from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.outputs import Guardrails
from weft.spec.model.patterns import WorkerTemplate
from weft.spec.model.runtime import Runtime
from weft.spec.model.steps import AgentStep, ToolStep
from weft.spec.model.tools import Tools
from weft.spec.model.workflow import Workflow
from weft.spec.tree import Source, to_pointer

BUILTIN_TOOLS = frozenset(
    {
        *("calculator", "current_time", "duckduckgo_search", "file_read", "file_write", "grep", "head", "http_request"),
        *("list_files", "python_exec", "search", "spec_verify", "tail", "tavily_search", "web_fetch"),
    }
)
"""The built-in tools."""

OUTSIDE_TOOLS = frozenset({"duckduckgo_search", "file_write", "http_request", "tavily_search", "web_fetch"})
"""The built-in tools that change something or ask somebody outside."""

_OLD_PREFIXES = ("strands_cli.tools.", "strands_tools.")
_RENAMED = {"python_repl": "python_exec", "tavily": "tavily_search"}
_FILE_CALLABLE = re.compile(r"[^\x00:]{1,4096}\.py:[A-Za-z]\w*")
_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def builtin_id(name: str) -> str | None:
    """The short id of a built-in tool that `name` stands for: the id itself, or one of the names that it had before."""
    short = name.removeprefix(_OLD_PREFIXES[0])
    if name.startswith(_OLD_PREFIXES[1]):
        short = name.removeprefix(_OLD_PREFIXES[1]).partition(".")[0]
        short = _RENAMED.get(short, short)
    return short if short in BUILTIN_TOOLS else None


def is_callable(name: str) -> bool:
    """Whether `name` has the form ``package.module:function`` or ``file.py:function``."""
    return _CALLABLE.fullmatch(name) is not None or is_file_callable(name)


def is_file_callable(name: str) -> bool:
    """Whether `name` has the form ``file.py:function``."""
    return _FILE_CALLABLE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Finding:
    pointer: Pointer
    message: str
    fix: str


def unsupported(workflow: Workflow, source: Source | None = None) -> list[Problem]:
    """Everything in `workflow` that this version does not run; `source` gives the findings their lines."""
    findings: list[_Finding] = []
    for pointer, section in walk(workflow):
        for kind, rule in _RULES.items():
            if isinstance(section, kind):
                findings += rule(pointer, section)
    return [
        Problem(
            rule="unsupported",
            message=f"not supported by this version: {finding.message}",
            fix=finding.fix,
            place=source.place(finding.pointer) if source else Place(pointer=to_pointer(finding.pointer)),
        )
        for finding in findings
    ]


def _runtime(pointer: Pointer, runtime: Section) -> Iterator[_Finding]:
    assert isinstance(runtime, Runtime)
    if runtime.provider == "danskegpt":
        yield _Finding((*pointer, "provider"), "the provider 'danskegpt'", "use `provider: openai` with `host`")
    if runtime.space_id is not None:
        yield _Finding((*pointer, "space_id"), "space_id", "remove it")


def _agent(pointer: Pointer, agent: Section) -> Iterator[_Finding]:
    assert isinstance(agent, Agent)
    if agent.provider == "danskegpt":
        yield _Finding((*pointer, "provider"), "the provider 'danskegpt'", "use `provider: openai` with `host`")
    yield from _tool_names((*pointer, "tools"), agent.tools)


def _overrides(pointer: Pointer, step: Section) -> Iterator[_Finding]:
    assert isinstance(step, AgentStep)
    yield from _tool_names((*pointer, "tool_overrides"), step.tool_overrides)


def _worker(pointer: Pointer, worker: Section) -> Iterator[_Finding]:
    assert isinstance(worker, WorkerTemplate)
    yield from _tool_names((*pointer, "tools"), worker.tools)


def _tool_step(pointer: Pointer, step: Section) -> Iterator[_Finding]:
    assert isinstance(step, ToolStep)
    yield from _tool_name((*pointer, "tool"), step.tool)


def _tools(pointer: Pointer, tools: Section) -> Iterator[_Finding]:
    assert isinstance(tools, Tools)
    for place, tool in enumerate(tools.python):
        spot = (*pointer, "python", place)
        if isinstance(tool, str):
            yield from _tool_name(spot, tool)
        else:
            yield from _tool_name((*spot, "callable"), tool.callable)


def _tool_names(pointer: Pointer, names: list[str] | None) -> Iterator[_Finding]:
    for place, name in enumerate(names or ()):
        yield from _tool_name((*pointer, place), name)


def _tool_name(pointer: Pointer, name: str) -> Iterator[_Finding]:
    if name.startswith(_OLD_PREFIXES[1]) and builtin_id(name) is None:
        yield _Finding(pointer, f"the old tool {name!r}", f"this version has {', '.join(sorted(BUILTIN_TOOLS))}")


def _guardrails(pointer: Pointer, rails: Section) -> Iterator[_Finding]:
    assert isinstance(rails, Guardrails)
    for name in ("deny_network", "pii_redaction"):
        if getattr(rails, name):
            yield _Finding((*pointer, name), f"the guardrail {name}", "remove it only if the run is safe without it")
    if rails.allow_tools is not None:
        yield _Finding((*pointer, "allow_tools"), "the guardrail allow_tools", "list the tools on each agent")


_RULES: dict[type[Section], Callable[[Pointer, Section], Iterator[_Finding]]] = {
    Runtime: _runtime,
    Agent: _agent,
    AgentStep: _overrides,
    ToolStep: _tool_step,
    WorkerTemplate: _worker,
    Tools: _tools,
    Guardrails: _guardrails,
}

"""A whole document, built step by step and checked as a file is."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, Unpack

from weft.engine.programs.port import Spawned
from weft.python.asking import asked
from weft.python.build.options import AgentOptions, RuntimeOptions, ToolOptions
from weft.python.build.parts import Part, part, source
from weft.spec.inputs import resolve_inputs
from weft.spec.load import Report, check_source, checked
from weft.spec.model.workflow import Workflow
from weft.spec.tree import plain_data


class Document:
    """A workflow that is being built. Each method adds to it and returns it.

    It is the same document that a file would hold: the same checks, the same plan with the same hash. A relative path in it starts at the
    folder of the Python file that builds it.
    """

    def __init__(self, root: Part) -> None:
        self._root = root

    def describe(self, description: str, *, tags: Sequence[str] | None = None) -> Self:
        """Say what it is for."""
        return self._set({"description": description, "tags": tags})

    def input(
        self,
        name: str,
        type: str = "string",  # noqa: A002 -- the language's word
        *,
        required: bool = True,
        description: str | None = None,
        default: Any = None,
        choices: Sequence[Any] | None = None,
    ) -> Self:
        """Declare an input (`choices` is the language's `enum`)."""
        said = part({"type": type, "description": description, "default": default, "enum": choices})
        return self._put("inputs", "required" if required else "optional", name, said)

    def value(self, name: str, value: str | float | bool) -> Self:
        """Give an input a value."""
        return self._put("inputs", "values", name, value)

    def agent(self, name: str, prompt: str, **options: Unpack[AgentOptions]) -> Self:
        """Define an agent."""
        self._section("agents")[name] = part({"prompt": prompt, **options})
        return self

    def agent_from(self, name: str, ref: str, **changes: Any) -> Self:
        """Take an agent from another file, with what is changed about it."""
        self._section("agents")[name] = part({"$ref": ref, **changes})
        return self

    def tool(self, callable: str, **options: Unpack[ToolOptions]) -> Self:  # noqa: A002 -- the language's word
        """Declare a built-in tool, or a function as ``package.module:function``."""
        return self._append("tools", "python", part({"callable": callable, **options}) if options else callable)

    def http(self, id: str, base_url: str, **options: Any) -> Self:  # noqa: A002 -- the language's word
        """Declare an HTTP service as a tool."""
        return self._append("tools", "http_executors", part({"id": id, "base_url": base_url, **options}))

    def mcp(self, id: str, **options: Any) -> Self:  # noqa: A002 -- the language's word
        """Declare an MCP server."""
        return self._append("tools", "mcp", part({"id": id, **options}))

    def secret(self, key: str, *, name: str | None = None, source: str = "env") -> Self:
        """Name a secret by reference."""
        return self._append("env", "secrets", part({"key": key, "source": source, "name": name}))

    def skill(self, id: str, path: str, *, description: str | None = None) -> Self:  # noqa: A002 -- the language's word
        """Add a skill."""
        self._root.setdefault("skills", []).append(part({"id": id, "path": path, "description": description}))
        return self

    def artifact(self, path: str, content: str) -> Self:
        """Have a file written at the end; both are templates (`content` is the language's `from`)."""
        return self._append("outputs", "artifacts", part({"path": path, "from": content}))

    def section(self, name: str, fields: Mapping[str, Any]) -> Self:
        """Add a section that has no method of its own, such as ``context_policy`` or ``telemetry``."""
        return self._set({name: part(fields)})

    def pattern(self, pattern: Part) -> Self:
        """Say how its agents work together."""
        return self._set({"pattern": pattern})

    def as_json(self) -> dict[str, Any]:
        """The document as a file would hold it."""
        plain: dict[str, Any] = plain_data(source(self._root).root)
        return plain

    @property
    def file(self) -> str:
        """The Python file that builds it."""
        return self._root.file

    def report(self) -> Report:
        """Everything that is wrong with it, with places in the Python file."""
        return check_source(source(self._root), Path(self._root.file).parent)

    def workflow(self) -> Workflow:
        """The checked workflow.

        Raises:
            SpecError: it has problems; all of them are in it.
        """
        return checked(self.report())

    def __call__(self, **inputs: Any) -> Coroutine[Any, Any, Any]:
        """Inside a workflow function: have it run as a run of its own, and give its response.

        Raises:
            WeftError: it failed, or an input is missing.
        """
        made = self.workflow()
        values = resolve_inputs(made, inputs).values
        return asked(
            made.name,
            None,
            lambda: Spawned(made.name, {"name": made.name, "inputs": values, **values}),
            lambda value: value["response"],
        )

    def _set(self, fields: Mapping[str, Any]) -> Self:
        self._root.update(part(fields))
        return self

    def _section(self, name: str) -> Part:
        made: Part = self._root.setdefault(name, part({}))
        return made

    def _put(self, section: str, group: str, name: str, value: Any) -> Self:
        self._section(section).setdefault(group, part({}))[name] = value
        return self

    def _append(self, section: str, group: str, value: Any) -> Self:
        self._section(section).setdefault(group, []).append(value)
        return self


def workflow(name: str, *, provider: str, version: int = 1, **runtime: Unpack[RuntimeOptions]) -> Document:
    """A new document; `provider` and the rest are its `runtime`."""
    return Document(part({"version": version, "name": name, "runtime": part({"provider": provider, **runtime})}))

"""Secrets of the environment that are not there, found before anything is called: those to which something refers that a run may call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from weft.core.errors import Place, SpecError, WeftError
from weft.plan.codec import to_json
from weft.plan.nodes import Plan
from weft.python.naming import named
from weft.secrets.resolve import SecretRef, Secrets, references
from weft.spec.files import read_source
from weft.spec.tree import DocumentError, plain_data


def declared_secrets(definitions: Mapping[str, Any]) -> dict[str, SecretRef]:
    """The secrets that a plan declares, by the names under which it refers to them."""
    declared: Mapping[str, Mapping[str, str]] = definitions.get("secrets") or {}
    return {
        name: SecretRef(name=name, key=one["key"], source=one.get("source", "env"), path=one.get("path", ""))
        for name, one in declared.items()
    }


def lacking(plan: Plan, file: Path, environ: Mapping[str, str]) -> Iterator[WeftError]:
    """What is to be said of each secret that a run of `plan`, which was made of `file`, may need and `environ` does not have.

    One that only tools use which nobody can call need not be there, nor one of a server that is optional.
    """
    refs = [ref for ref in declared_secrets(plan.definitions).values() if ref.source == "env"]
    secrets, wanted = Secrets(refs, environ=environ), None
    for ref in refs:
        try:
            secrets.resolve(ref.name)
        except WeftError as error:
            wanted = _wanted(plan) if wanted is None else wanted
            if ref.name in wanted:
                error.place = _place(ref, file)
                yield error
    for name, child in plan.children.items():
        yield from lacking(child, file.parent / name, environ)


def _wanted(plan: Plan) -> set[str]:
    """The names to which something refers that can be called: a tool, a remote agent, an MCP server."""
    definitions = plan.definitions
    tools: Mapping[str, Any] = definitions.get("tools") or {}
    agents: Mapping[str, Any] = definitions.get("agents") or {}
    called, asked = _reached(to_json(plan)["root"], agents)
    if asked:
        called.update(definitions.get("common_tools") or ())
    found = {name for agent in asked for name in _referred(agents[agent].get("headers"))}
    for name in called & tools.keys():
        found.update(_referred(tools[name].get("headers")))
    if called - tools.keys():  # who calls what nothing else explains starts every server
        for server in (definitions.get("mcp") or {}).values():
            if not server.get("optional"):
                found.update(_referred([server.get(part) for part in ("headers", "env", "oauth")]))
    return found


def _reached(root: Any, agents: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The tools that can be called, and those of `agents` that can be asked."""
    called, asked = set[str](), set[str]()
    for node in _leaves(root):
        if node["kind"] == "program" or node["performer"] == "planner":
            asked.update(agents)  # which ones is known when it runs
            called.update(tool for agent in agents.values() for tool in agent.get("tools") or ())
        elif node["performer"] == "tool":
            called.add(node["target"])
        elif node["performer"] == "agent" and node["target"] in agents:
            asked.add(node["target"])
            instead = (node.get("input") or {}).get("tools")
            called.update((agents[node["target"]].get("tools") if instead is None else instead) or ())
    return called, asked


def _leaves(node: Any) -> Iterator[Mapping[str, Any]]:
    """The calls and programs inside a node."""
    if isinstance(node, dict):
        if node.get("kind") in {"call", "program"}:
            yield node
            return
        for part in node.values():
            yield from _leaves(part)
    elif isinstance(node, list):
        for part in node:
            yield from _leaves(part)


def _referred(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield from references(value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _referred(part)
    elif isinstance(value, list):
        for part in value:
            yield from _referred(part)


def _place(ref: SecretRef, file: Path) -> Place:
    """Where `file` declares the secret, as near as can be told."""
    whole = Place(file=str(file), pointer="/env/secrets")
    if named(file) is not None:
        return whole
    try:
        source = read_source(file)
        listed = plain_data(source.root)["env"]["secrets"]
        spot = next(at for at, one in enumerate(listed) if (one.get("name") or one["key"]) == ref.name)
    except (SpecError, DocumentError, LookupError, TypeError, AttributeError, StopIteration):
        return whole  # it is made of several files, or has changed
    return source.place(("env", "secrets", spot))

"""JSON Schemas of agents that no answer could ever be held to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from weft.core.errors import Problem
from weft.spec.model.base import Pointer
from weft.spec.model.workflow import Workflow
from weft.spec.tree import Source

_SHOWN = 200


def schema_problems(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Findings about the `input_schema` and `output_schema` of agents, which are inline by now."""
    for name, agent in workflow.inline_agents().items():
        for key in ("input_schema", "output_schema"):
            schema = getattr(agent, key)
            spot: Pointer = ("agents", name, key)
            # A schema that could not be read stands here as an empty map, and is reported already.
            if not isinstance(schema, dict) or not schema:
                continue
            if why := wrong_schema(schema):
                yield source.problem("schema", spot, f"this is no JSON Schema: {why}", "write one of draft 2020-12")
            elif key == "output_schema" and schema.get("type") != "object":
                yield source.problem("schema", spot, "an answer is an object", "write `type: object` at its top")


def wrong_schema(schema: dict[str, Any]) -> str:
    """Why `schema` is none, or refers to what it does not hold."""
    from jsonschema import SchemaError  # noqa: PLC0415 -- only for files with schemas
    from referencing import Registry  # noqa: PLC0415 -- same
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 -- same
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 -- same

    from weft.core.json_schema import check_schema, unusable_patterns  # noqa: PLC0415 -- same

    try:
        check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path}: {error.message[:_SHOWN]}"
    if problem := next(unusable_patterns(schema), None):
        return str(problem)
    resource = DRAFT202012.create_resource(schema)
    registry: Any = Registry()
    resolver = registry.resolver_with_root(resource)
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            return f"{reference[:_SHOWN]!r} is not in it, and nothing is fetched"
    return ""


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)

"""The JSON Schema of the language, generated from its models."""

from __future__ import annotations

from typing import Any

from weft.spec.model.workflow import Workflow

SCHEMA_ID = "https://weft.dev/schema/workflow.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema of a workflow document (JSON Schema, draft 2020-12)."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Workflow.model_json_schema(by_alias=True),
        "title": "Weft workflow",
    }
    schema["properties"]["version"] = _VERSION
    _close(schema)
    return schema


_VERSION = {
    "title": "Version",
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 2},
        {"type": "string", "pattern": r"^[01](\.|$)", "maxLength": 50},
    ],
}


def _close(schema: Any) -> None:
    """Let no key pass that none of the patterns of a map's keys fits: Pydantic's schemas say nothing about such a key."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            _close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _close(inner)

"""The JSON Schema of the language, generated from its models."""

from __future__ import annotations

from typing import Any

from weft.spec.model.workflow import Workflow

SCHEMA_ID = "https://weft.dev/schema/workflow.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema of a workflow document (JSON Schema, draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Workflow.model_json_schema(by_alias=True),
        "title": "Weft workflow",
    }

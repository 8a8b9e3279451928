"""The forms that people fill in: from the short notation of a document to a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def form_schema(form: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a form.

    A form is such a schema already when it has `properties`; else it maps each field to a type, or to the schema of the field,
    where ``optional: true`` says that it may be left out.
    """
    if "properties" in form:
        return {"type": "object", **form}
    fields = {name: {"type": entry} if isinstance(entry, str) else dict(entry) for name, entry in form.items()}
    optional = {name for name, entry in fields.items() if entry.pop("optional", False) is True or "default" in entry}
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }

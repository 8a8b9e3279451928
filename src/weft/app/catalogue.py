"""What this version has: built-in tools, patterns, providers, presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from weft.plan.definitions import DEFAULT_MODELS, PROVIDERS
from weft.spec.model.context import Preset
from weft.spec.schema import json_schema
from weft.tools.registry import BUILTINS, build_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """A built-in tool. `arguments` says of each whether it has to be given, `allowed` whether agents have it without a setting."""

    name: str
    summary: str
    effect: str
    arguments: Mapping[str, bool]
    allowed: bool
    input_schema: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The tool as plain data."""
        return {
            "name": self.name,
            "summary": self.summary,
            "effect": self.effect,
            "required": [name for name, needed in self.arguments.items() if needed],
            "optional": [name for name, needed in self.arguments.items() if not needed],
            "allowed": self.allowed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that a workflow may name without declaring it."""

    tools: Sequence[ToolFacts]
    patterns: Sequence[str]
    providers: Sequence[str]
    secrets: Sequence[str]
    presets: Sequence[str]


def catalogue() -> Catalogue:
    """What this version has."""
    tools = build_tools({name: {"kind": "builtin"} for name in BUILTINS}, python_exec=True)
    return Catalogue(
        tools=[
            ToolFacts(
                name=name,
                summary=tool.spec.description.splitlines()[0],
                effect=tool.spec.effect,
                arguments={
                    argument: argument in tool.spec.input_schema.get("required", ())
                    for argument in tool.spec.input_schema["properties"]
                },
                allowed=name != "python_exec",
                input_schema=tool.spec.input_schema,
            )
            for name, tool in sorted(tools.items())
        ],
        patterns=sorted(_patterns()),
        providers=sorted({*DEFAULT_MODELS, *PROVIDERS, *PROVIDERS.values()}),
        secrets=["env", "file", "secrets_manager", "ssm", "azure_key_vault", "vault"],
        presets=list(get_args(Preset)),
    )


def _patterns() -> list[str]:
    """The types of patterns, as the schema of the language has them."""
    kinds = json_schema()["$defs"].values()
    found = [
        kind["properties"]["type"].get("const")
        for kind in kinds
        if {"type", "config"} <= set(kind.get("properties", ()))
    ]
    return [name for name in found if name]

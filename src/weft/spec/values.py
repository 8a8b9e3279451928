"""Values that have the right shape and still do not fit: defaults, waits, paths, references to secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from weft.core.errors import Problem
from weft.spec.model.base import Pointer
from weft.spec.model.inputs import InputField
from weft.spec.model.workflow import Workflow
from weft.spec.scopes import OURS
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source

SECRET = re.compile(r"\$\{([^{}]*)\}")
_NAMES: Mapping[str, str] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def misfit(value: Any, field: InputField) -> str | None:
    """Why `value` is not one that the input takes, or None when it is; never shows more than the start of it."""
    if not isinstance(value, _KINDS[field.type]) or (isinstance(value, bool) and field.type != "boolean"):
        return f"must be {_NAMES[field.type]}, not {_shown(value)}"
    if field.enum is not None and value not in field.enum:
        return f"must be one of {', '.join(map(_shown, field.enum[:12]))}, not {_shown(value)}"
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def value_problems(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Findings about single values."""
    policy = workflow.runtime.failure_policy
    if policy.wait_min > policy.wait_max:
        spot: Pointer = ("runtime", "failure_policy", "wait_min")
        message = f"`wait_min` {policy.wait_min:g} is more than `wait_max` {policy.wait_max:g}"
        yield source.problem("wrong-value", spot, message, "make `wait_max` the larger one")
    yield from _inputs(workflow, source)
    yield from _artifacts(workflow, source)
    yield from _headers(workflow, source)
    yield from _models(workflow, source)


def _inputs(workflow: Workflow, source: Source) -> Iterator[Problem]:
    inputs = workflow.inputs
    declared = inputs.declared()
    for part, entries in (("required", inputs.required), ("optional", inputs.optional)):
        for name, entry in entries.items():
            spot: Pointer = ("inputs", part, name)
            if isinstance(entry, InputField) and entry.default is not None and (why := misfit(entry.default, entry)):
                yield source.problem("wrong-value", (*spot, "default"), f"the default of {name!r} {why}", "change one")
            if name in OURS:
                message = f"the input {name!r} hides the name that the language fills"
                yield source.problem("reserved-name", spot, message, "give the input another name", severity="warning")
            if part == "optional" and name in inputs.required:
                message = f"{name!r} is both required and optional"
                yield source.problem("duplicate-id", spot, message, "keep one of them")
    for name, value in inputs.values.items():
        field = declared.get(name)
        if field is not None and (why := misfit(value, field)):
            yield source.problem("wrong-value", ("inputs", "values", name), f"{name!r} {why}", "change the value")


def _artifacts(workflow: Workflow, source: Source) -> Iterator[Problem]:
    for place, artifact in enumerate(workflow.outputs.artifacts):
        path = artifact.path.replace("\\", "/")
        if path.startswith(("/", "~")) or ".." in path.split("/") or re.match(r"[A-Za-z]:", path):
            yield source.problem(
                "path",
                ("outputs", "artifacts", place, "path"),
                f"the path {artifact.path[:80]!r} leaves the output folder",
                "write a relative path without `..`; it is made inside the folder given by --out",
            )


def _headers(workflow: Workflow, source: Source) -> Iterator[Problem]:
    aliases = {secret.alias for secret in workflow.env.secrets}
    for place, executor in enumerate(workflow.tools.http_executors):
        for header, value in executor.headers.items():
            for name in SECRET.findall(value):
                if name not in aliases:
                    fix = f"declare it in env.secrets; {did_you_mean(name, aliases, noun='declared')}"
                    spot = ("tools", "http_executors", place, "headers", header)
                    yield source.problem("unknown-secret", spot, f"${{{name}}} is not a declared secret", fix)


def _models(workflow: Workflow, source: Source) -> Iterator[Problem]:
    runtime = workflow.runtime
    for name, agent in workflow.inline_agents().items():
        provider = agent.provider or runtime.provider
        model = agent.model_id or (runtime.model_id if provider == runtime.provider else None)
        if provider in {"azure", "azure_openai"} and model is None:
            spot: Pointer = ("agents", name, "model_id") if agent.provider else ("runtime", "model_id")
            fix = "write the name of the deployment as `model_id`"
            yield source.problem("missing-key", spot, "azure has no default model", fix, severity="warning")
            return

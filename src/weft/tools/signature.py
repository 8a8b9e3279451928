"""A function's signature and docstring as the schema of a tool."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from weft.core.errors import InputError, SpecError
from weft.tools.port import Json, ToolContext

_SHOWN = 5
_DESCRIPTION = 4000
_SECTION = re.compile(r"(?:Args|Arguments|Parameters|Returns|Return|Yields|Raises|Examples?|Notes?|Attributes):\s*")
_ARGUMENTS = re.compile(r"(?:Args|Arguments|Parameters):\s*")
_ARGUMENT = re.compile(r"(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


class _Untitled(GenerateJsonSchema):
    """Titles that repeat a name cost tokens and say nothing."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 -- Pydantic's

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- the signature is Pydantic's
        return False


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function is called: its schema and description, and which parameter takes the `ToolContext`."""

    description: str
    schema: Mapping[str, Json]
    context_parameter: str | None
    _model: type[BaseModel]

    def bind(self, args: Mapping[str, Json], context: ToolContext) -> dict[str, Any]:
        """Keyword arguments for the function, as the types that it declares; what is not given is left to its defaults.

        Raises:
            InputError: an argument does not fit its type.
        """
        try:
            bound = self._model.model_validate(dict(args))
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:_SHOWN]
            )
            raise InputError(found, fix="correct the arguments") from error
        fields = type(bound).model_fields
        values = {str(fields[name].alias): getattr(bound, name) for name in bound.model_fields_set}
        return values | ({self.context_parameter: context} if self.context_parameter else {})


def read_signature(function: Callable[..., Any]) -> Signature:
    """The schema of `function`, from its type hints and its docstring (Google style).

    Raises:
        SpecError: a parameter has no type hint, cannot be given by name, or has a type that JSON Schema cannot describe.
    """
    name = function.__name__
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:  # type hints are the user's code, and are run here
        raise SpecError(f"the type hints of {name!r} cannot be read: {error}", fix="use importable types") from error
    description, explained = _docstring(function)
    context_parameter: str | None = None
    fields: dict[str, Any] = {}
    for place, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise SpecError(
                f"the parameter {parameter.name!r} of {name!r} cannot be given by name",
                fix="use ordinary parameters: no *args, no **kwargs, none before a slash",
            )
        if parameter.name not in hints:
            raise SpecError(f"the parameter {parameter.name!r} of {name!r} has no type hint", fix="add one")
        hint = hints[parameter.name]
        if hint is ToolContext:
            context_parameter = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        # The field's own name is ours: a parameter may be called like an attribute of a model.
        fields[f"p{place}"] = (
            hint,
            Field(default, alias=parameter.name, description=explained.get(parameter.name)),
        )
    try:
        model = create_model(
            name.strip("_") or "Arguments",
            __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False, protected_namespaces=()),
            **fields,
        )
        schema = model.model_json_schema(schema_generator=_Untitled)
    except (PydanticUserError, TypeError, NameError) as error:
        raise SpecError(
            f"the parameters of {name!r} cannot be described as JSON: {str(error).splitlines()[0]}",
            fix="use types that have a form in JSON",
        ) from error
    schema.pop("title", None)
    schema.pop("description", None)
    return Signature(description or name, schema, context_parameter, model)


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    lines = (inspect.getdoc(function) or "").splitlines()
    start = next((at for at, line in enumerate(lines) if _SECTION.fullmatch(line)), len(lines))
    explained: dict[str, list[str]] = {}
    inside, current, indent = False, "", 0
    for line in lines[start:]:
        depth = len(line) - len(line.lstrip())
        if line and depth == 0:
            inside, current = bool(_ARGUMENTS.fullmatch(line)), ""
        elif inside and line.strip():
            found = _ARGUMENT.fullmatch(line.strip())
            if found and (not current or depth <= indent):
                current, indent = found[1], depth
                explained[current] = [found[2]]
            elif current:
                explained[current].append(line.strip())
    description = "\n".join(lines[:start]).strip()
    return description[:_DESCRIPTION], {name: " ".join(text).strip() for name, text in explained.items()}

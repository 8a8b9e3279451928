"""Values of a document as expressions: literals, and templates turned inside out."""

from __future__ import annotations

import json
import math
from typing import Any

from jinja2 import TemplateError as JinjaError

from weft.core.errors import TemplateError
from weft.spec.template import ENVIRONMENT, is_template

_WORDS = {None: "none", True: "true", False: "false"}


def literal(value: Any) -> str:
    """The expression whose value is the JSON `value`; the order of its keys makes no difference.

    Raises:
        TemplateError: `value` is not JSON.
    """
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return f"{{{', '.join(f'{literal(key)}: {literal(item)}' for key, item in sorted(value.items()))}}}"
    raise TemplateError(f"a {type(value).__name__} is not a value", fix="write text, a number, a list or a map")


def computed(value: Any) -> str:
    """The expression for a value in which a text is an expression and anything else stands for itself."""
    return value if isinstance(value, str) else literal(value)


def filled(value: Any) -> str:
    """The expression for a value in which texts are templates; one that is a single ``{{ … }}`` keeps its type.

    Raises:
        TemplateError: a template in it has statements, which expressions have not.
    """
    if isinstance(value, str):
        return _inside_out(value) if is_template(value) else literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(filled, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {filled(item)}' for key, item in sorted(value.items()))}}}"
    return literal(value)


def bare(expression: str) -> str:
    """`expression` without the braces that it may have around it, ready to stand inside another one."""
    text = expression.strip()
    return text[2:-2].strip() if text.startswith("{{") and text.endswith("}}") else text


def as_template(expression: str) -> str:
    """A template that renders `expression`, which may have its braces already."""
    return expression if is_template(expression) else f"{{{{ {expression} }}}}"


def _inside_out(template: str) -> str:
    parts: list[tuple[bool, str]] = []
    inside: list[str] | None = None
    try:
        tokens = list(ENVIRONMENT.lex(template.strip() if template.strip().startswith("{{") else template))
    except JinjaError as error:
        raise TemplateError(f"the template is not valid: {error}", fix="correct the template") from None
    for _line, kind, text in tokens:
        if kind == "variable_begin":
            inside = []
        elif kind == "variable_end":
            parts.append((True, "".join(inside or ()).strip()))
            inside = None
        elif kind == "block_begin":
            raise TemplateError(
                "this text may hold {{ expressions }} and no statements", fix="use a `set` step before it"
            )
        elif inside is not None:
            inside.append(text)
        elif kind == "data":
            parts.append((False, literal(text)))
    if len(parts) == 1:
        return f"({parts[0][1]})" if parts[0][0] else parts[0][1]
    return " ~ ".join(_written(text) if code else text for code, text in parts)


def _written(expression: str) -> str:
    """The expression for what a template writes: maps and lists as JSON."""
    return (
        f"(({expression}) | tojson if ({expression}) is iterable and ({expression}) is not string else ({expression}))"
    )

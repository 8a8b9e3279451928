"""Arithmetic, without evaluating any code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from weft.core.errors import ToolError

_BITS = 4096
_SIGNS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"})

_Number = int | float


async def calculator(expression: Annotated[str, Field(min_length=1, max_length=500)]) -> int | float:
    """Work out an arithmetic expression.

    Args:
        expression: Numbers, parentheses and + - * / // % **, such as (2 + 3) * 4.5
    """
    try:
        tree = ast.parse(expression.translate(_SIGNS).strip(), mode="eval")
        return _finite(_value(tree.body))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"{expression!r} is not an expression", fix=_FIX) from error
    except ZeroDivisionError as error:
        raise ToolError("division by zero", fix="check the numbers") from error
    except OverflowError as error:
        raise _too_large() from error


_FIX = "use numbers, parentheses and + - * / // % ** only"


def _value(node: ast.expr) -> _Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _bounded(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _bounded(_OPERATORS[type(node.op)](_value(node.left), _value(node.right)))
    raise ToolError(f"{ast.unparse(node)!r} cannot be worked out", fix=_FIX)


def _power(base: _Number, exponent: _Number) -> _Number:
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent > 0
    # The result has at least so many bits; when they are too many it is not worked out.
    if whole and (int(abs(base)).bit_length() - 1) * exponent > _BITS:
        raise _too_large()
    result = base**exponent
    if isinstance(result, complex):
        raise ToolError("the result is not a real number", fix="take no roots of negative numbers")
    return result


def _bounded(value: _Number) -> _Number:
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise _too_large()
    return value


def _finite(value: _Number) -> _Number:
    if isinstance(value, float) and not math.isfinite(value):
        raise _too_large()
    return value


def _too_large() -> ToolError:
    return ToolError("the result is too large", fix="work with smaller numbers")


_OPERATORS: Mapping[type[ast.operator], Callable[[_Number, _Number], _Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}

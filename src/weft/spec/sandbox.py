"""The Jinja2 environment of templates: data in, text out, and no way to anything else.

Three walls stand between a template and the process. Only a few statements are compiled at all (no macros, imports or
recursion). Attributes and calls go by allow-list: the entries of maps, and harmless methods of text, lists and maps. And a
meter counts loop rounds and the size of what is made, so that a small template cannot become a lot of work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, StrictUndefined, UndefinedError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from weft.spec.meter import Refused, bounded_range, check_binop, check_join, check_replace, meter_of

MAX_NODES = 5_000

_TEXT_METHODS = frozenset(
    {
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "startswith",
        "endswith",
        "split",
        "rsplit",
        "splitlines",
        "replace",
        "title",
        "capitalize",
        "casefold",
        "count",
        "find",
        "rfind",
        "index",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
        "join",
        "isdigit",
        "isalpha",
        "isalnum",
        "isspace",
        "isnumeric",
        "islower",
        "isupper",
    }
)
_METHODS: Mapping[type, frozenset[str]] = {
    str: _TEXT_METHODS,
    dict: frozenset({"get", "keys", "values", "items"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}
_LOOP = frozenset(
    {
        "index",
        "index0",
        "revindex",
        "revindex0",
        "first",
        "last",
        "length",
        "previtem",
        "nextitem",
        "cycle",
        "changed",
        "depth",
        "depth0",
    }
)
_STATEMENTS = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Assign,
    nodes.Expr,
    nodes.Pair,
    nodes.Keyword,
    nodes.Operand,
)
_REFUSED = (nodes.NSRef, nodes.MarkSafe, nodes.MarkSafeIfAutoescape, nodes.InternalName, nodes.ImportedName)


class Absent(UndefinedError):  # noqa: N818 -- becomes a TemplateError at the door
    """A name, key or attribute that is not there; `holder` is where it was looked for, `missing` at the top level."""

    def __init__(self, name: Any, holder: Any, message: str | None = None) -> None:
        super().__init__(message)
        self.name, self.holder = name, holder


class Unknown(StrictUndefined):
    """What stands in for a missing value until somebody uses it."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        super().__init__(hint, obj, name, exc or partial(Absent, name, obj))  # type: ignore[arg-type]  # called like a class

    def __index__(self) -> int:
        """Fail in the words of a missing name, not in those of Python's lists."""
        return self._fail_with_undefined_error()


class Contains(Extension):
    """Lets conditions say ``text contains "word"``: the same as ``text is contains("word")``."""

    _OPERAND_ENDS = frozenset({"name", "string", "integer", "float", "rparen", "rbracket", "rbrace"})

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Put ``is`` before a ``contains`` that follows a value."""
        before: Token | None = None
        for token in stream:
            if token.type == "name" and token.value == "contains" and before is not None and self._ends(before):
                yield Token(token.lineno, "name", "is")
                if before.value == "not":
                    yield before
                    before = None
            if before is not None and before.value == "not" and before.type == "name":
                yield before
            if token.type != "name" or token.value != "not":
                yield token
            before = token
        if before is not None and before.type == "name" and before.value == "not":
            yield before

    def _ends(self, token: Token) -> bool:
        return token.type in self._OPERAND_ENDS and token.value not in {"is", "and", "or", "in", "if", "else"}


_FUNCTIONS: Mapping[str | None, str] = {
    "len": "length",
    "str": "string",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "list": "list",
    "tuple": "list",
    "set": "unique",
}
"""Functions of one value that conditions are often written with, and the filters that they stand for."""


class _Vetting(NodeTransformer):
    """Refuses what is not on the list, and puts the meter where work happens."""

    def __init__(self) -> None:
        self._count = 0

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise Refused(f"it has more than {MAX_NODES:,} parts")
        if not isinstance(node, _STATEMENTS) or isinstance(node, _REFUSED):
            raise Refused(f"templates have no {type(node).__name__.lower()} statement")
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 -- the visitor's naming
        if node.recursive:
            raise Refused("templates have no recursive loops")
        self.generic_visit(node)
        node.iter = _filter(node.iter, "\0each", [])
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 -- same
        return self._made(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 -- same
        return self._made(node, node.items if node.ctx == "load" else [])

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 -- same
        return self._made(node, [pair.value for pair in node.items])

    def _made(self, node: nodes.Expr, items: list[nodes.Expr]) -> nodes.Node:
        self.generic_visit(node)
        return node if all(isinstance(item, nodes.Const) for item in items) else _filter(node, "\0made", [])

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        for operand in node.ops:
            operand.expr = _looked(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _looked(node.node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        return _filter(node.nodes[0], "\0concat", node.nodes[1:])

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else None
        if name in _FUNCTIONS and len(node.args) == 1 and not node.kwargs:
            return _filter(node.args[0], _FUNCTIONS[name], [])
        return node


def _looked(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, "\0looked", [])


def _filter(node: Any, name: str, args: list[nodes.Expr]) -> nodes.Filter:
    return nodes.Filter(node, name, args, [], None, None, lineno=node.lineno)


def vetted(template: nodes.Template) -> nodes.Template:
    """`template` with the meter in place.

    Raises:
        Refused: it uses a statement that templates do not have, or is too big.
    """
    result: nodes.Template = _Vetting().visit(template)
    return result


class Sandbox(SandboxedEnvironment):
    """A Jinja2 environment in which only data is within reach, and data wins over methods of the same name."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "//", "/", "-"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The entry of a map, else a harmless method."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return self._method(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The entry of a map or list, else a harmless method of that name."""
        if isinstance(obj, (Mapping, list, tuple, str, range)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        if isinstance(argument, str) or isinstance(obj, Undefined):
            return self._method(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def _method(self, obj: Any, name: str) -> Any:
        if isinstance(obj, Undefined):
            return str(obj)
        allowed = _LOOP if isinstance(obj, LoopContext) else _METHODS.get(type(obj), frozenset())
        return getattr(obj, name) if name in allowed else self.undefined(obj=obj, name=name)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a harmless method; everything else is refused."""
        if obj is bounded_range:
            return bounded_range(*args)
        if isinstance(obj, Undefined):
            return obj()
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if name not in (_LOOP if isinstance(owner, LoopContext) else _METHODS.get(type(owner), ())):
            raise Refused("only methods of text, lists and maps can be called")
        meter = meter_of(context)
        if isinstance(owner, str):
            if name == "join":
                args = (check_join(meter, owner, args[0]), *args[1:]) if args else args
            elif name == "replace":
                check_replace(meter, owner, *args)
            else:
                meter.make(len(owner))
        return obj(*args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic with bounds."""
        check_binop(meter_of(context), operator, left, right)
        return self.binop_table[operator](left, right)


def overlay(environment: Environment) -> Environment:
    """`environment` without the globals, filters and tests that Jinja2 brings along."""
    environment.globals.clear()
    environment.filters.clear()
    environment.tests = {name: test for name, test in environment.tests.items() if name not in {"filter", "test"}}
    return environment

"""The Jinja2 environment of templates: data in, text out, and no way to anything else.

Three walls stand between a template and the process. Only a few statements are compiled at all (no macros, imports or
recursion). Attributes and calls go by allow-list: the entries of maps, and harmless methods of text, lists and maps. And a
meter counts loop rounds and the size of what is made, so that a small template cannot become a lot of work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, StrictUndefined, UndefinedError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

MAX_TEXT = 1_000_000
"""Characters that a template may have, and that it may render to."""

MAX_NODES = 5_000
MAX_ROUNDS = 100_000
MAX_MADE = 10_000_000
MAX_RANGE = 10_000
MAX_BITS = 4_096

METER = "\0meter"
"""The key of the meter in a template's context; no template can spell it."""

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


class Refused(Exception):  # noqa: N818 -- becomes a TemplateError at the door
    """A template asks for something that templates may not do."""


class Absent(UndefinedError):  # noqa: N818 -- same
    """A name, key or attribute that is not there; `holder` is where it was looked for, `missing` at the top level."""

    def __init__(self, name: Any, holder: Any, message: str | None = None) -> None:
        super().__init__(message)
        self.name, self.holder = name, holder


class Unknown(StrictUndefined):
    """What stands in for a missing value until somebody uses it."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        super().__init__(hint, obj, name, exc or partial(Absent, name, obj))  # type: ignore[arg-type]


class Meter:
    """What one rendering may still do."""

    __slots__ = ("made", "rounds")

    def __init__(self) -> None:
        self.rounds = MAX_ROUNDS
        self.made = MAX_MADE

    def make(self, size: int) -> None:
        """Charge for a value of `size` characters or items, before it is made."""
        self.made -= size + 1
        if self.made < 0 or size > MAX_TEXT:
            raise Refused("it makes too much text")

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """`items`, each one charged for."""
        for item in items:
            self.rounds -= 1
            if self.rounds < 0:
                raise Refused(f"it goes through more than {MAX_ROUNDS:,} items")
            yield item


def meter_of(context: Context) -> Meter:
    """The meter of the rendering that `context` belongs to."""
    meter = context.parent[METER]
    assert isinstance(meter, Meter)
    return meter


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

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        return _filter(node.nodes[0], "\0concat", node.nodes[1:])

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 -- same
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else None
        if name in _FUNCTIONS and len(node.args) == 1 and not node.kwargs:
            return _filter(node.args[0], _FUNCTIONS[name], [])
        return node


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


def bounded_range(*args: int) -> range:
    """``range`` up to `MAX_RANGE` items."""
    result = range(*args)
    if len(result) > MAX_RANGE:
        raise Refused(f"a range has more than {MAX_RANGE:,} items")
    return result


def check_join(meter: Meter, separator: str, items: Iterable[Any]) -> list[str]:
    """The texts to join, charged for."""
    texts = []
    for item in meter.each(items):
        text = item if isinstance(item, str) else str(item)
        meter.make(len(text) + len(separator))
        texts.append(text)
    meter.make(sum(map(len, texts)) + len(separator) * len(texts))
    return texts


def check_replace(meter: Meter, text: str, old: str, new: str, count: int = -1) -> None:
    """Charge for ``text.replace(old, new, count)`` before it is made."""
    times = text.count(old)
    times = times if count < 0 else min(times, count)
    meter.make(len(text) + times * max(0, len(new) - len(old)))


def check_binop(meter: Meter, operator: str, left: Any, right: Any) -> None:
    """Charge for an operation, and refuse numbers and texts that grow without measure."""
    if operator == "%" and isinstance(left, str):
        raise Refused("text cannot be formatted with %")
    if operator == "+" and isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        meter.make(len(left) + len(right))
    for one, other in ((left, right), (right, left)):
        if operator == "*" and isinstance(one, (str, list, tuple)) and isinstance(other, int):
            meter.make(len(one) * max(0, other))
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(0, right) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > MAX_BITS:
            raise Refused("it makes a number that is too large")


def overlay(environment: Environment) -> Environment:
    """`environment` without the globals, filters and tests that Jinja2 brings along."""
    environment.globals.clear()
    environment.filters.clear()
    environment.tests = {name: test for name, test in environment.tests.items() if name not in {"filter", "test"}}
    return environment

"""Templates: sandboxed Jinja2 over exactly the values of a scope.

`render` makes text, `render_value` fills every text inside JSON, `evaluate` computes a value. They are pure, bounded in work
and size, and fail with a `TemplateError` that names what is missing and what there is.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from jinja2.runtime import Undefined

from weft.core.errors import TemplateError
from weft.core.patterns import PatternError, compiled
from weft.spec.filters import FILTERS, to_json
from weft.spec.meter import MAX_TEXT, METER, Meter, Refused, bounded_range, weight
from weft.spec.sandbox import Absent, Contains, Sandbox, Unknown, overlay, vetted
from weft.spec.suggest import did_you_mean

_MARKS = ("{{", "{%", "{#")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BRACED = re.compile(r"\{\{((?:(?!\}\}|\{\{).)*)\}\}", re.DOTALL)
_MATCHING = frozenset({"search", "regex_search"})
_PYTHONS_OWN = re.compile(r"__\w+__")
_FAILURES = (
    JinjaError,
    Refused,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    MemoryError,
    SyntaxError,
    re.error,
)
_MAX_DEPTH = 100
_MAX_VALUE = 64 * 1024 * 1024
"""Characters of a computed value: no longer one can be the value of a step."""

Scope = Mapping[str, Any]


def _make_environment() -> Sandbox:
    environment = Sandbox(
        undefined=Unknown, extensions=[Contains], keep_trailing_newline=True, finalize=_shown, cache_size=0
    )
    overlay(environment)
    environment.filters.update(FILTERS)
    environment.tests["contains"] = lambda value, item: item in value
    environment.globals["range"] = bounded_range
    return environment


def _shown(value: Any) -> Any:
    """Maps and lists are written as JSON, which models read better than Python's notation; only data is written."""
    if value is None or isinstance(value, (str, int, float, Undefined)):
        return value
    if isinstance(value, Iterable):
        return to_json(value)
    raise Refused(f"a {type(value).__name__} is not a value that can be written; is a call's () or an index missing?")


def _plain(value: Any) -> Any:
    """What a computed value is outside: iterators and views become lists; methods and the like are refused."""
    if value is None or isinstance(value, (str, int, float, dict, list)):
        return value
    if isinstance(value, Iterable):
        return list(value)
    raise Refused(f"a {type(value).__name__} is not a value")


def render(template: str, scope: Scope) -> str:
    """`template` filled from `scope`, in Unicode NFC and without control characters other than tab and line ends.

    Raises:
        TemplateError: it is not a template, uses what is not in `scope`, or would do or make too much.
    """
    if not is_template(template):
        return _clean(_bounded(template))
    try:
        compiled = _template(template)
        parts, size = [], 0
        for part in compiled.root_render_func(compiled.new_context(_values(scope), shared=True)):
            size += len(part)
            if size > MAX_TEXT:
                raise Refused(f"its text is longer than {MAX_TEXT:,} characters")
            parts.append(part)
    except _FAILURES as error:
        raise _failure(error, template, scope) from None
    return _clean("".join(parts))


def render_value(value: Any, scope: Scope) -> Any:
    """`value` with every text in it rendered; a text that is one ``{{ expression }}`` keeps the type of its value.

    Raises:
        TemplateError: as for `render`.
    """
    return _render_value(value, scope, 0)


def _render_value(value: Any, scope: Scope, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise TemplateError(f"a value is nested more than {_MAX_DEPTH} levels deep", fix="nest less")
    if isinstance(value, str):
        whole = _BRACED.fullmatch(value.strip()) if is_template(value) else None
        return evaluate(whole[1], scope) if whole else render(value, scope)
    if isinstance(value, Mapping):
        return {key: _render_value(item, scope, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_render_value(item, scope, depth + 1) for item in value]
    return value


def evaluate(expression: str, scope: Scope) -> Any:
    """The value of `expression`, with or without ``{{ }}`` around it.

    A plain reference, such as ``tasks["a"].response``, gives the very object that `scope` holds.

    Raises:
        TemplateError: as for `render`.
    """
    try:
        return _plain(_expression(expression)(scope))
    except _FAILURES as error:
        raise _failure(error, expression, scope) from None


def is_template(text: str) -> bool:
    """Whether `text` holds anything to fill in."""
    return any(mark in text for mark in _MARKS)


def parse(text: str) -> tuple[nodes.Template, frozenset[str]]:
    """The syntax tree of a template, vetted, and the names that it takes from its scope.

    Raises:
        TemplateError: `text` is not a template, or uses what templates do not have.
    """
    try:
        tree = vetted(_parsed(text))
        for node in tree.find_all((nodes.Filter, nodes.Test, nodes.Getattr)):
            _check_word(node)
        return tree, frozenset(find_undeclared_variables(tree))
    except _FAILURES as error:
        raise _failure(error, text, {}) from None


def _check_word(node: nodes.Node) -> None:
    """Refuse a filter or test that is not there, and what only Python's own objects have."""
    for kind, noun, known in ((nodes.Filter, "filter", ENVIRONMENT.filters), (nodes.Test, "test", ENVIRONMENT.tests)):
        if isinstance(node, kind) and node.name not in known:
            fix = did_you_mean(node.name, filter(str.isidentifier, known), noun=f"{noun}s")
            raise TemplateError(f"there is no {noun} {node.name!r}", fix=fix)
    if isinstance(node, nodes.Filter) and node.name in _MATCHING:
        for given in (*node.args, *(pair.value for pair in node.kwargs))[:1]:
            _check_pattern(given)
    if isinstance(node, nodes.Getattr) and _PYTHONS_OWN.fullmatch(node.attr):
        raise TemplateError(f"{node.attr!r} is out of reach: a template reads data only", fix="take it out")


def _check_pattern(given: nodes.Node) -> None:
    if isinstance(given, nodes.Const) and isinstance(given.value, str):
        try:
            compiled(given.value)
        except PatternError as error:
            raise TemplateError(str(error), fix="correct the pattern") from None


def _parsed(text: str) -> nodes.Template:
    with _quiet():
        return ENVIRONMENT.parse(_bounded(text))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning about a backslash before d in a text: people write that in patterns, and it means what they think."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise TemplateError(f"a template is longer than {MAX_TEXT:,} characters", fix="pass long texts by a file tool")
    return text


@lru_cache(maxsize=1024)
def _template(text: str) -> Template:
    return ENVIRONMENT.from_string(vetted(_parsed(text)))


@lru_cache(maxsize=4096)
def _expression(text: str) -> Callable[[Scope], Any]:
    text = _bounded(text)
    whole = _BRACED.fullmatch(text.strip())
    with _quiet():
        parser = Parser(ENVIRONMENT, whole[1] if whole else text, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("there is more after the end of the expression", parser.stream.current.lineno)
    keys = reference(tree)
    if keys:
        return _lookup(keys)
    assign = nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)
    whole_tree = nodes.Template([assign], lineno=1)
    whole_tree.set_environment(ENVIRONMENT)
    compiled = ENVIRONMENT.from_string(vetted(whole_tree))

    def compute(scope: Scope) -> Any:
        context = compiled.new_context(_values(scope), shared=True)
        for _part in compiled.root_render_func(context):
            pass
        value = _present(context.vars["result"])
        if weight(value, _MAX_VALUE, texts=True) > _MAX_VALUE:
            raise Refused("its value is too large")
        return value

    return compute


def reference(tree: nodes.Node) -> tuple[Any, ...]:
    """The name and keys of a plain reference such as ``steps[0].response``; empty for anything else."""
    keys: list[Any] = []
    while isinstance(tree, (nodes.Getattr, nodes.Getitem)):
        if isinstance(tree, nodes.Getattr):
            keys.append(tree.attr)
        elif isinstance(tree.arg, nodes.Const):
            keys.append(tree.arg.value)
        elif isinstance(tree.arg, nodes.Neg) and isinstance(tree.arg.node, nodes.Const):
            keys.append(-tree.arg.node.value)
        else:
            return ()
        tree = tree.node
    return (tree.name, *reversed(keys)) if isinstance(tree, nodes.Name) else ()


def _lookup(keys: tuple[Any, ...]) -> Callable[[Scope], Any]:
    name, rest = keys[0], keys[1:]

    def look(scope: Scope) -> Any:
        try:
            value = scope[name]
        except KeyError:
            raise Absent(name, None) from None
        for key in rest:
            value = _present(ENVIRONMENT.getitem(value, key))
        return value

    return look


def _present(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)
    return value


def _values(scope: Scope) -> dict[str, Any]:
    return {**ENVIRONMENT.globals, **scope, METER: Meter()}


def _clean(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    text = _CONTROL.sub("", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _failure(error: Exception, template: str, scope: Scope) -> TemplateError:
    """`error` as a user sees it; values of the scope are never shown."""
    if isinstance(error, TemplateError):
        return error
    shown = template.strip()
    shown = shown if len(shown) <= 120 else shown[:117] + "…"
    if isinstance(error, Absent):
        return _absent(error, shown, scope)
    if isinstance(error, TemplateSyntaxError):
        message = f"line {error.lineno} of the template is not valid: {error.message}"
        return TemplateError(f"{message} (in {shown!r})", fix="correct the template")
    if isinstance(error, Refused):
        return TemplateError(f"the template is refused: {error} (in {shown!r})", fix="say it in a simpler way")
    if isinstance(error, RecursionError):
        return TemplateError(f"the template is nested too deeply (in {shown!r})", fix="say it in a simpler way")
    what = str(error) or type(error).__name__
    return TemplateError(
        f"the template failed: {what[:300]} (in {shown!r})", fix="check the types of the values it uses"
    )


def _absent(error: Absent, shown: str, scope: Scope) -> TemplateError:
    asked: Any = error.name
    # What a list or a text was asked for may be missing itself.
    itself = isinstance(asked, Undefined)
    name = str(asked._undefined_name if itself else asked)  # noqa: SLF001 -- nothing else tells it
    holder = None if itself else error.holder
    if isinstance(holder, Mapping):
        message, known = f"{name!r} is not there", [str(key) for key in holder]
    elif isinstance(holder, (list, tuple)):
        message, known = f"there is no item {name}: the list has {len(holder)}", []
    elif isinstance(holder, (str, int, float)) or error.name is None:
        message, known = f"{name!r} is not something that a {type(holder).__name__} has", []
    else:
        message, known = f"{name!r} is not defined", [key for key in scope if key.isidentifier()]
    fix = did_you_mean(name, known, noun="available") if known else "check the name"
    return TemplateError(f"{message} (in {shown!r})", fix=fix, variable=name)


ENVIRONMENT = _make_environment()

"""The filters of the template language, each with a bound on what it makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import filters as jinja
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined
from markupsafe import escape

from weft.core.patterns import PatternError
from weft.spec.meter import Meter, Refused, as_text, check_join, check_replace, check_written, meter_of

_MAX_PATTERN = 500
_MAX_SEARCHED = 65_536
_MAX_INDENT = 100
_MAX_BATCH = 10_000
_MAX_DIGITS = 100
_WRAPPING = 2_000
"""What wrapping a character costs, compared with looking at it."""

Filter = Callable[..., Any]


def truncate(text: Any, n: int = 100, end: str = "...") -> str:
    """At most `n` characters of `text`; what was cut is replaced by `end`."""
    whole = as_text(text)
    if len(whole) <= n:
        return whole
    return (whole[: max(0, n - len(end))] + end)[: max(0, n)]


def to_json(value: Any, indent: int | None = None) -> str:
    """`value` as JSON."""
    if indent is not None and not 0 <= indent <= 8:
        raise Refused("tojson indents by 0 to 8")
    check_written(value)
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_json_form)


def _json_form(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def regex_search(context: Context, text: Any, pattern: str) -> str:
    """Group 1 of the first match of `pattern` in the first 65,536 characters (the whole match without groups), or nothing."""
    match = _search(context, text, pattern)
    if match is None:
        return ""
    return str(match.group(1) or "") if match.re.groups else match.group()


def search(context: Context, text: Any, pattern: str) -> bool:
    """Whether `pattern` matches anywhere in the first 65,536 characters of `text`."""
    return _search(context, text, pattern) is not None


def _search(context: Context, text: Any, pattern: str) -> Any:
    if len(pattern) > _MAX_PATTERN:
        raise Refused(f"a pattern is longer than {_MAX_PATTERN} characters")
    try:
        return meter_of(context).patience.search(pattern, as_text(text)[:_MAX_SEARCHED])
    except PatternError as error:
        raise Refused(str(error)) from None


@pass_context
def _join(context: Context, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = map(jinja.make_attrgetter(context.environment, attribute), value)
    return str(d).join(check_join(meter_of(context), str(d), value))


@pass_context
def _replace(context: Context, text: Any, old: str, new: str, count: int = -1) -> str:
    whole = as_text(text)
    check_replace(meter_of(context), whole, old, new, count)
    return whole.replace(old, new, count)


@pass_context
def _indent(context: Context, text: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = as_text(text)
    size = len(width) if isinstance(width, str) else width
    if size > _MAX_INDENT:
        raise Refused(f"text can be indented by at most {_MAX_INDENT}")
    meter_of(context).make(len(text) + size * (text.count("\n") + 1))
    return str(jinja.do_indent(text, width, first, blank))


@pass_context
def _wordwrap(context: Context, text: Any, width: int = 79, break_long_words: bool = True) -> str:
    whole, meter = as_text(text), meter_of(context)
    meter.make(2 * len(whole))
    meter.look(_WRAPPING * len(whole))
    return str(jinja.do_wordwrap(context.environment, whole, width, break_long_words))


@pass_context
def each(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """`items` of a loop, counted."""
    return meter_of(context).each(items)


@pass_context
def concat(context: Context, *parts: Any) -> str:
    """The parts of a ``~`` as one text, charged for."""
    texts = [as_text(part) for part in parts]
    meter_of(context).make(sum(map(len, texts)))
    return "".join(texts)


@pass_context
def made(context: Context, value: Any) -> Any:
    """A list or map that a template has put together, charged for with all that is in it."""
    meter = meter_of(context)
    meter.make(meter.weigh(value))
    return value


@pass_context
def looked(context: Context, value: Any) -> Any:
    """What is searched, compared or cut, charged for."""
    meter = meter_of(context)
    if isinstance(value, str):
        meter.look(len(value))
    elif isinstance(value, (list, tuple, dict)):
        meter.look_at(value)
    return value


def _metered(original: Filter, first: str | None = None) -> Filter:
    """`original` with its input and output counted; `first` says what Jinja2 passes to it before the value."""

    @pass_context
    def metered(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        meter = meter_of(context)
        value = _counted(meter, value)
        before = {"context": (context,), "environment": (context.environment,)}.get(first or "", ())
        return _counted(meter, original(*before, value, *args, **kwargs))

    return metered


def _counted(meter: Meter, value: Any) -> Any:
    if isinstance(value, Iterator):
        return meter.each(value)
    if isinstance(value, (str, list, tuple, dict, range)):
        meter.make(len(value))
    return value


def _batch(context: Context, value: Iterable[Any], linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    if linecount > _MAX_BATCH:
        raise Refused(f"a batch has at most {_MAX_BATCH:,} items")
    meter = meter_of(context)
    if fill_with is not None:
        # Only the last one is filled.
        meter.make(linecount * meter.weigh(fill_with))
    return jinja.do_batch(value, linecount, fill_with)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > _MAX_DIGITS:
        raise Refused(f"numbers are rounded to at most {_MAX_DIGITS} digits")
    return jinja.do_round(value, precision, method)


def _sum(context: Context, value: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
    """Numbers added up; lists, with ``start=[]``, put together in one go."""
    if not isinstance(start, (list, tuple)):
        return jinja.do_sum(context.environment, value, attribute, start)
    meter, total = meter_of(context), list(start)
    items = value if attribute is None else map(jinja.make_attrgetter(context.environment, attribute), value)
    for item in items:
        if not isinstance(item, (list, tuple)):
            raise Refused(f"a {type(item).__name__} cannot be added to a list")
        meter.make(meter.weigh(item))
        total += item
    return total


def _worded(original: Filter) -> Filter:
    """`original`, a filter of text, of whatever it is given as text."""

    def worded(value: Any, *args: Any, **kwargs: Any) -> Any:
        return original(as_text(value), *args, **kwargs)

    return _metered(worded)


def _escape(value: str) -> str:
    """Text for HTML, as plain text: nothing after it is escaped again."""
    return str(escape(value))


def combine(maps: Iterable[Any]) -> dict[str, Any]:
    """Maps as one: of entries with the same key that of the last map counts."""
    combined: dict[str, Any] = {}
    for each in maps:
        if not isinstance(each, dict):
            raise Refused("combine puts maps together")
        combined |= each
    return combined


FILTERS: dict[str, Filter] = {
    "\0each": each,
    "\0concat": concat,
    "\0made": made,
    "\0looked": looked,
    "default": jinja.do_default,
    "d": jinja.do_default,
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "wordwrap": _wordwrap,
    "first": _metered(jinja.do_first, "environment"),
    "last": _metered(jinja.do_last, "environment"),
    "map": _metered(jinja.do_map, "context"),
    "select": _metered(jinja.do_select, "context"),
    "reject": _metered(jinja.do_reject, "context"),
    "selectattr": _metered(jinja.do_selectattr, "context"),
    "rejectattr": _metered(jinja.do_rejectattr, "context"),
    "groupby": _metered(jinja.do_groupby, "environment"),
    "sort": _metered(jinja.do_sort, "environment"),
    "dictsort": _metered(jinja.do_dictsort),
    "items": _metered(jinja.do_items),
    "batch": _metered(_batch, "context"),
    "reverse": _metered(jinja.do_reverse),
    "min": _metered(jinja.do_min, "environment"),
    "max": _metered(jinja.do_max, "environment"),
    "unique": _metered(jinja.do_unique, "environment"),
    "sum": _metered(_sum, "context"),
    "list": _metered(list),
    "combine": _metered(combine),
    "length": _metered(len),
    "count": _metered(len),
    "round": _metered(_round),
    "int": _metered(jinja.do_int),
    "float": _metered(jinja.do_float),
    "string": _worded(str),
    "bool": _metered(bool),
    "lower": _worded(jinja.do_lower),
    "upper": _worded(jinja.do_upper),
    "title": _worded(jinja.do_title),
    "trim": _worded(jinja.do_trim),
    "capitalize": _worded(jinja.do_capitalize),
    "wordcount": _worded(jinja.do_wordcount),
    "urlencode": _metered(jinja.do_urlencode),
    "escape": _worded(_escape),
    "e": _worded(_escape),
    "abs": _metered(abs),
    "truncate": _metered(truncate),
    "tojson": _metered(to_json),
    "regex_search": _metered(regex_search, "context"),
    "search": _metered(search, "context"),
}

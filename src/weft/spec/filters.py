"""The filters of the template language, each with a bound on what it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import filters as jinja
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined
from markupsafe import escape

from weft.spec.sandbox import Meter, Refused, check_join, check_replace, meter_of

_MAX_PATTERN = 500
_MAX_SEARCHED = 65_536
_MAX_INDENT = 100
_MAX_BATCH = 10_000

Filter = Callable[..., Any]


def truncate(text: Any, n: int = 100, end: str = "...") -> str:
    """At most `n` characters of `text`; what was cut is replaced by `end`."""
    whole = str(text)
    if len(whole) <= n:
        return whole
    return (whole[: max(0, n - len(end))] + end)[: max(0, n)]


def to_json(value: Any, indent: int | None = None) -> str:
    """`value` as JSON."""
    if indent is not None and not 0 <= indent <= 8:
        raise Refused("tojson indents by 0 to 8")
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_json_form)


def _json_form(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def regex_search(text: Any, pattern: str) -> str:
    """Group 1 of the first match of `pattern` in the first 65,536 characters (the whole match without groups), or nothing."""
    match = _search(str(text), pattern)
    if match is None:
        return ""
    return str(match.group(1) or "") if match.re.groups else match.group()


def search(text: Any, pattern: str) -> bool:
    """Whether `pattern` matches anywhere in the first 65,536 characters of `text`."""
    return _search(str(text), pattern) is not None


def _search(text: str, pattern: str) -> re.Match[str] | None:
    if len(pattern) > _MAX_PATTERN:
        raise Refused(f"a pattern is longer than {_MAX_PATTERN} characters")
    return re.search(pattern, text[:_MAX_SEARCHED])


@pass_context
def _join(context: Context, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = map(jinja.make_attrgetter(context.environment, attribute), value)
    return str(d).join(check_join(meter_of(context), str(d), value))


@pass_context
def _replace(context: Context, text: Any, old: str, new: str, count: int = -1) -> str:
    whole = str(text)
    check_replace(meter_of(context), whole, old, new, count)
    return whole.replace(old, new, count)


@pass_context
def _indent(context: Context, text: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = str(text)
    size = len(width) if isinstance(width, str) else width
    if size > _MAX_INDENT:
        raise Refused(f"text can be indented by at most {_MAX_INDENT}")
    meter_of(context).make(len(text) + size * (text.count("\n") + 1))
    return str(jinja.do_indent(text, width, first, blank))


@pass_context
def _wordwrap(context: Context, text: Any, width: int = 79, break_long_words: bool = True) -> str:
    meter_of(context).make(2 * len(str(text)))
    return str(jinja.do_wordwrap(context.environment, str(text), width, break_long_words))


@pass_context
def each(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """`items` of a loop, counted."""
    return meter_of(context).each(items)


@pass_context
def concat(context: Context, *parts: Any) -> str:
    """The parts of a ``~`` as one text, charged for."""
    texts = [part if isinstance(part, str) else str(part) for part in parts]
    meter_of(context).make(sum(map(len, texts)))
    return "".join(texts)


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


def _batch(value: Iterable[Any], linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    if linecount > _MAX_BATCH:
        raise Refused(f"a batch has at most {_MAX_BATCH:,} items")
    return jinja.do_batch(value, linecount, fill_with)


def _escape(value: Any) -> str:
    """Text for HTML, as plain text: nothing after it is escaped again."""
    return str(escape(str(value)))


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
    "batch": _metered(_batch),
    "reverse": _metered(jinja.do_reverse),
    "min": _metered(jinja.do_min, "environment"),
    "max": _metered(jinja.do_max, "environment"),
    "unique": _metered(jinja.do_unique, "environment"),
    "sum": _metered(jinja.do_sum, "environment"),
    "list": _metered(list),
    "combine": _metered(combine),
    "length": _metered(len),
    "count": _metered(len),
    "round": _metered(jinja.do_round),
    "int": _metered(jinja.do_int),
    "float": _metered(jinja.do_float),
    "string": _metered(str),
    "bool": _metered(bool),
    "lower": _metered(jinja.do_lower),
    "upper": _metered(jinja.do_upper),
    "title": _metered(jinja.do_title),
    "trim": _metered(jinja.do_trim),
    "capitalize": _metered(jinja.do_capitalize),
    "wordcount": _metered(jinja.do_wordcount),
    "urlencode": _metered(jinja.do_urlencode),
    "escape": _metered(_escape),
    "e": _metered(_escape),
    "abs": _metered(abs),
    "truncate": _metered(truncate),
    "tojson": _metered(to_json),
    "regex_search": _metered(regex_search),
    "search": _metered(search),
}

# ruff: noqa: RUF001 -- typographic marks in patterns are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""Tool choice: which tool fits a request by its name, its description and the arguments that the request holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.models.offline.evidence import DATE, EMAIL, NUMBER, PROPER, URL, number
from weft.models.offline.options import Option, choose
from weft.models.offline.schema_check import Schema, resolve, satisfies
from weft.models.offline.words import STOPWORDS, name_terms, stem, terms, words

MAX_CALLS = 8
"""Calls for one task, over all its requests."""

_TOKEN = re.compile(r"(?<![\w@.~/-])[\w@.~/-]{2,200}(?![\w@.~/-])")
_SUFFIX = re.compile(r"[\w~@-]\.[A-Za-z][A-Za-z0-9]{0,9}$")
_FOLDER = re.compile(
    r"\b(?:folder|directory|dir)\s+(?!is\b|are\b|and\b|or\b|of\b|that\b|which\b)[`\"']?([\w@.~/-]*\w)"
    r"|\b(?!(?:the|an?|this|that|each|every|any|which|what|same|my|our|your|its|whole|current|working)\b)"
    r"[`\"']?([\w@.~/-]*\w)[`\"']?\s+(?:folder|directory)\b"
    r"|[\"'”`]\s+(?:in|under|below|inside|within)\s+(?:the\s+)?[`\"']?([\w@.~/-]*\w)"
)
_ADDRESS = re.compile(r"/[\w~-][\w.~/-]*")
"""A path of a service: it begins with a slash and need not end like a file."""
_SUM = re.compile(
    r"(?:(?:sqrt|abs|round|min|max|log|sin|cos|tan|exp|floor|ceil|pow)\s*\(|[-+(]?\s*\d|\()[\d\s().,+*/%^×÷·eE-]*(?:sqrt|abs|round|min|max|log)?[\d\s().,+*/%^×÷·-]*"
)
_QUOTED = re.compile(r"\"([^\"\n]{1,300})\"|“([^”\n]{1,300})”|`([^`\n]{1,300})`|(?<!\w)'([^'\n]{1,300})'(?!\w)")
_ASSIGNED = r"\b{name}\s*(?:=|:|\bis\b|\bof\b|\bto\b)?\s*[`\"']?([^\s,;`\"']+)"
_CHANGES = frozenset(
    map(
        stem,
        "write delete remove send post create update publish upload drop move rename overwrite append pay buy".split(),
    )
)
_ALIKE: Mapping[str, tuple[str, ...]] = {
    stem(word): tuple(map(stem, others.split()))
    for word, others in {
        "read": "open show say says contain contents load view print cat",
        "list": "files folder directory ls which",
        "grep": "search find occurrences mention mentions matching lines",
        "search": "find look lookup",
        "calculator": "calculate compute much plus minus times divided sum product percent multiply",
        "calculate": "compute much plus minus times divided sum product percent multiply",
        "time": "date day clock today now oclock",
        "head": "first beginning top start",
        "tail": "last end bottom",
        "fetch": "download get url page open",
        "http": "download url page fetch",
        "weather": "temperature forecast rain",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Tool:
    """What the choice needs to know of a tool."""

    name: str
    description: str
    parameters: Schema


@dataclass(frozen=True, slots=True)
class Call:
    """A tool and its arguments."""

    tool: str
    arguments: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Equal for equal calls."""
        return self.tool + json.dumps(self.arguments, sort_keys=True, ensure_ascii=False, default=str)


def choose_calls(task: str, tools: Sequence[Tool], *, made: Collection[str] = (), forced: bool = False) -> list[Call]:
    """The calls that `task` asks for and that are not in `made` (keys of earlier calls), best tool only.

    A tool fits when the task names it, or shares a word with its name or description, and every required argument is in the
    task. A tool whose name says that it changes something must be asked for in that word. With `forced`, the best tool
    is called if its arguments can be found at all.
    """
    if len(made) >= MAX_CALLS:
        return []
    rated = sorted(
        ((fit, -place, tool) for place, tool in enumerate(tools) if (fit := _fit(task, tool, tools)) > 0 or forced),
        key=lambda row: (-row[0], -row[1]),
    )
    for _, _, tool in rated:
        calls = [Call(tool.name, arguments) for arguments in _arguments(task, tool)]
        fresh = [call for call in calls if call.key not in made]
        if fresh:
            return fresh[: MAX_CALLS - len(made)]
        if calls:
            # The best tool has done its part; a worse one would only be a guess.
            return []
    return []


def _fit(task: str, tool: Tool, tools: Sequence[Tool]) -> float:
    said = set(terms(task)) | {stem(word) for word in words(task)}
    named = set(name_terms(tool.name))
    if tool.name.lower() in re.findall(r"[\w.-]+", task.lower()) and (len(named) > 1 or "_" in tool.name):
        return 10.0
    if named & _CHANGES and not named & _CHANGES & said:
        return 0.0
    about = set(terms(tool.description))
    common = (
        {term for term in about | named if sum(term in _own(other) for other in tools) > 1} if len(tools) > 1 else set()
    )
    alike = {other for term in named for other in _ALIKE.get(term, ())}
    score = 3.0 * len(named & said - common) + 2.0 * len(alike & said) + 1.0 * len((about - named - common) & said)
    score += 0.5 * len(named & common & said)
    required = tool.parameters.get("required", [])
    typed = [name for name in required if _typed(name)]
    if typed and all(any(True for _ in _values(task, name, _sub(tool, name))) for name in typed):
        # A path or a sum in the task speaks for a tool that takes one, even when no verb does.
        score += 2.0
        plain = bool(named & {stem("read"), stem("calculator"), stem("fetch")})
        score += 0.5 * plain
        return score if score > 2.0 or plain else 0.0
    return score if score >= 2.0 else 0.0


def _reads_files(tool: Tool) -> bool:
    """Whether a folder would be the wrong thing to hand to the tool."""
    return bool(set(name_terms(tool.name)) & {"read", "head", "tail", "open", "cat"})


def _own(tool: Tool) -> set[str]:
    return set(name_terms(tool.name)) | set(terms(tool.description))


def _typed(name: str) -> bool:
    return any(re.search(rf"(?:^|_){key}", name.lower()) for key in ("path", "file", "url", "uri", "expr", "email"))


def _sub(tool: Tool, name: str) -> Schema:
    return resolve(tool.parameters.get("properties", {}).get(name, {}), tool.parameters) or {}


def _arguments(task: str, tool: Tool) -> Iterator[dict[str, Any]]:
    """Complete arguments for `tool`: one set for each path, address or sum that the task names."""
    given = _given_object(task, tool)
    if given is not None:
        yield given
        return
    required = list(tool.parameters.get("required", []))
    found: dict[str, list[Any]] = {}
    for name in tool.parameters.get("properties", {}):
        schema, needed = _sub(tool, name), name in required
        values = [v for v in _values(task, name, schema, free=needed) if satisfies(v, schema, tool.parameters)]
        if _reads_files(tool) and _typed(name):
            values = [v for v in values if "://" in v or _SUFFIX.search(v)]
        if values:
            found[name] = list(dict.fromkeys(values)) if _typed(name) else values[:1]
        elif needed:
            return
    many = next((name for name in found if len(found[name]) > 1), None)
    first = {name: values[0] for name, values in found.items()}
    if many is None:
        yield first
        return
    yield from ({**first, many: value} for value in found[many])


def _given_object(task: str, tool: Tool) -> dict[str, Any] | None:
    start = task.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(task, start)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(value, dict) and bool(value) and set(value) <= set(tool.parameters.get("properties", {}))
    return value if fits and satisfies(value, tool.parameters, tool.parameters) else None


def _values(task: str, name: str, schema: Schema, *, free: bool = True) -> Iterator[Any]:
    """Values in `task` for the parameter `name`; with `free`, also such as only its type suggests."""
    kinds = schema.get("type") or [b.get("type") for b in schema.get("anyOf", []) if isinstance(b, Mapping)]
    kinds = [kinds] if isinstance(kinds, str) else kinds
    said = re.search(_ASSIGNED.format(name=re.escape(name.replace("_", " "))), task, re.IGNORECASE) or re.search(
        rf"\b{re.escape(name)}\s*[=:]\s*[`\"']?([^\s,;`\"']+)", task
    )
    if "enum" in schema:
        yield from _enum(task, schema["enum"], said, free=free)
    elif "integer" in kinds or "number" in kinds:
        yield from _numeric(task, name, said, whole="number" not in kinds, free=free)
    elif "boolean" in kinds:
        if said and (word := said.group(1).lower().rstrip(".")) in ("true", "false", "yes", "no", "on", "off"):
            yield word in ("true", "yes", "on")
    elif "array" in kinds and free:
        items = schema.get("items", {})
        values = (
            list(_text(task, name, said))
            if items.get("type") == "string"
            else [number(m) for m in NUMBER.finditer(task)]
        )
        if values:
            yield values
    elif "string" in kinds or not kinds:
        yield from _text(task, name, said) if free else _optional(task, name, said)


def _enum(task: str, options: Sequence[Any], said: re.Match[str] | None, *, free: bool) -> Iterator[Any]:
    text = said.group(1) if said else task
    chosen, share = choose([Option(str(option)) for option in options], text)
    if share > 0 or (free and not said):
        yield next(option for option in options if str(option) == chosen.name)


def _numeric(task: str, name: str, said: re.Match[str] | None, *, whole: bool, free: bool) -> Iterator[float | int]:
    if said and (match := NUMBER.match(said.group(1))):
        yield number(match)
    stems = [s for s in name_terms(name) if s not in ("n", "num", "max", "number")] or ["line"]
    for match in NUMBER.finditer(task):
        after = task[match.end() : match.end() + 24]
        if set(stems) & set(terms(after)) and not (whole and isinstance(number(match), float)):
            yield number(match)
    if free:
        values = (number(match) for match in NUMBER.finditer(task))
        yield from (value for value in values if not (whole and isinstance(value, float)))


def _optional(task: str, name: str, said: re.Match[str] | None) -> Iterator[str]:
    """An optional text is given only when the task names the parameter or holds something of its kind."""
    if _typed(name):
        yield from _text(task, name, said)
    elif said and re.search(rf"\b{re.escape(name)}\s*[=:]", task):
        yield said.group(1)


def _text(task: str, name: str, said: re.Match[str] | None) -> Iterator[str]:
    lower = name.lower()
    for keys, find in _TEXTS.items():
        if any(key in lower for key in keys):
            yield from find(task)
            return
    if said and said.group(1).lower() not in STOPWORDS:
        yield said.group(1).rstrip(".?!")
    yield from _quoted(task)
    match = re.search(
        r"\b(?:in|for|of|about|called|named|on|to)\s+(?:the\s+)?([A-ZÀ-Þ][\w'’-]*(?:\s+[A-ZÀ-Þ][\w'’-]*){0,3})", task
    )
    if match:
        yield match.group(1)
    yield from (m.group() for m in PROPER.finditer(task) if m.start() > 0 and words(m.group())[0] not in STOPWORDS)


def _quoted(task: str) -> Iterator[str]:
    yield from (next(group for group in match.groups() if group) for match in _QUOTED.finditer(task))


def _paths(task: str) -> Iterator[str]:
    without = URL.sub(" ", EMAIL.sub(" ", task))
    for match in _TOKEN.finditer(without):
        path = match.group().rstrip(".")
        if _is_path(path):
            yield path
    yield from (next(g for g in match.groups() if g) for match in _FOLDER.finditer(without) if any(match.groups()))


def _is_path(token: str) -> bool:
    """Whether a token reads like a file or a folder: a known shape of ending, and not "e.g" or a number."""
    if (token.endswith("/") and len(token) > 1) or _ADDRESS.fullmatch(token):
        return True
    abbreviation = re.fullmatch(r"(?:\w\.)+\w|v?[\d.]+", token)
    return bool(_SUFFIX.search(token)) and not abbreviation


def _sums(task: str) -> Iterator[str]:
    without = DATE.sub(" ", URL.sub(" ", task))
    found = [re.sub(r"[\s,.+*/%^×÷·-]+$", "", match.group()).strip() for match in _SUM.finditer(without)]
    # "3-4 people" and "1/2" are sums only where something is to be worked out.
    asked = re.search(r"\b(?:what|how much|calculate|compute|evaluate|work out|result)\b|=", task, re.IGNORECASE)
    joins = r"[-+*/%^×÷·]" if asked else r"(?:[+*^×÷·%]|\s[-/]\s)"
    sums = [sum_ for sum_ in found if re.search(rf"\d\s*{joins}\s*[\d(]|\w\(|\)\s*{joins}", sum_)]
    for text in sorted(sums, key=len, reverse=True):
        written = text.replace("×", "*").replace("·", "*").replace("÷", "/").replace("^", "**")
        if written.count("(") == written.count(")"):
            yield re.sub(r"(?<=\d),(?=\d{3}\b)", "", written)
    spoken = re.search(
        r"(\d+(?:\.\d+)?)\s+(plus|minus|times|multiplied by|divided by|over)\s+(\d+(?:\.\d+)?)", task, re.IGNORECASE
    )
    if spoken:
        sign = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "over": "/"}
        yield f"{spoken.group(1)} {sign[spoken.group(2).lower()]} {spoken.group(3)}"
    percent = re.search(r"(\d+(?:\.\d+)?)\s*(?:%|percent) of (\d+(?:\.\d+)?)", task, re.IGNORECASE)
    if percent:
        yield f"{percent.group(1)} / 100 * {percent.group(2)}"


def _patterns(task: str) -> Iterator[str]:
    quoted = [text for text in _quoted(task) if not _is_path(text)]
    yield from quoted
    if quoted:
        return
    match = re.search(
        r"\b(?:for|find|grep|search|mentions?(?: of)?|contain(?:s|ing)?|matching|about|occurrences of)\s+(?:for\s+|the\s+|all\s+|word\s+|"
        r"lines\s+|with\s+|containing\s+|mentioning\s+|mentions\s+|occurrences\s+|of\s+|that\s+)*([\w-]+(?:\s+(?!in\b|on\b|of\b|under\b|from\b|inside\b|within\b)[\w-]+){0,4})",
        task,
        re.IGNORECASE,
    )
    if match:
        yield match.group(1)


def _questions(task: str) -> Iterator[str]:
    yield from _patterns(task)
    yield " ".join(task.split())[:300]


_TEXTS: Mapping[tuple[str, ...], Callable[[str], Iterator[str]]] = {
    ("path", "file", "folder", "dir"): _paths,
    ("url", "uri", "link"): lambda task: (match.group() for match in URL.finditer(task)),
    ("email",): lambda task: (match.group() for match in EMAIL.finditer(task)),
    ("expr", "formula", "calculation"): _sums,
    ("pattern", "regex", "needle", "keyword"): _patterns,
    ("query", "question", "search", "prompt", "q_"): _questions,
}

"""Patterns that somebody else wrote keep nobody busy for ever, and ordinary ones on ordinary texts do what Python says."""

import re

import pytest

from weft.core.json_schema import validator
from weft.core.patterns import PatternError, bounded

FOR_EVER = [
    r"(a+)+$",
    r"(a*)*b",
    r"(a|aa)+$",
    r"(ab|a|b)*c",
    r"(\w+\s?)*$",
    r"(x+x+)+y",
    r"(.*)*z",
    r"(\s*\w+\s*)*;",
    r"(?:a{1,3})+b",
    r"(?=(a+)+$)x",
    r"(([^,]*),?)*$",
    r"(?:(?:(?= ))* )+b",
    r"(?:.|.)*z",
    r"(?i:(ab?|A)+)$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}[a-z]{2,3}$",
]
ORDINARY = [
    (r"^\d+(\.\d+)*$", "1.22.333"),
    (r'"(?:[^"\\]|\\.)*"', 'say "a \\" b" now'),
    (r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "a-long-slug-9"),
    (r"(\d{1,3}\.){3}\d{1,3}", "at 127.0.0.1 it is"),
    (r"^([0-9a-f]{2})+$", "ab12" * 16),
    (r"Score: *(\d+)", "text " * 10_000 + "Score: 7"),
    (r"Score: (.*) of (.*)", ("a line of text " * 20 + "\n") * 100 + "Score: 3 of 5"),
    (r"^[\w.+-]+@[\w-]+\.[\w.-]+$", "me.and+you@mail.example.org"),
    (r"^(https?|ftp)://[^\s/$.?#].[^\s]*$", "https://example.org/a?b=c"),
    (r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", "QUJD" * 400 + "QQ=="),
    (r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$", "a_name_9"),
    (r"^(?!.*secret).*$", "word " * 500),
    (r"<([a-z]+)>(.*?)</\1>", "<p>some words</p>"),
    (r"(?s)```(?:json)?\s*(.*?)\s*```", "line\n" * 8_000 + "```json\n{}\n```"),
    (r"^\s*([A-Za-z ]+):\s*(.*?)\s*$", "Name: a value with words " * 10),
    (r".*foo.*", ("line " * 100 + "\n") * 100 + "a foo b"),
    (r"(?i)yes|no", "well, NO"),
    (r"(?P<y>\d{4})-(?P<m>\d\d)", "in 2026-11"),
    (r"a{0}b?c(?<=c)$", "bc"),
    (r"(?:(a)|b)(?(1)c|d)", "xbd"),
    ("", "anything"),
]


@pytest.mark.parametrize("text", FOR_EVER)
def test_a_pattern_that_has_exponentially_many_ways_is_refused(text):
    with pytest.raises(PatternError, match="for ever"):
        bounded(text)


@pytest.mark.parametrize(("text", "on"), ORDINARY)
def test_an_ordinary_pattern_finds_what_python_finds(text, on):
    found, expected = bounded(text).search(on), re.search(text, on)
    assert found is not None
    assert (found.span(), found.groups()) == (expected.span(), expected.groups())
    assert bounded(text).search("") is None or re.search(text, "") is not None


@pytest.mark.parametrize(
    ("text", "on"),
    [
        (r".*.*.*z", "a" * 5_000),
        (r"\s+$", " " * 50_000 + "!"),
        ("a?" * 30 + "a" * 30, "a" * 30),
        (r"(a?){30}a{30}", "a" * 30),
        (r"(?:|){30}z", "a"),
        (r"(?s)<a>(.*?)</a>.*<b>(.*?)</b>", "<a>x</a>" * 5_000),
        (r"^\s*([A-Za-z ]+):\s*(.*?)\s*$", " " * 500),
        (r"((?!.*x).)*z", "a" * 5_000),
    ],
)
def test_a_text_that_its_pattern_would_be_tried_on_for_minutes_is_refused(text, on):
    with pytest.raises(PatternError, match="too long for the pattern"):
        bounded(text).search(on)


@pytest.mark.parametrize("text", ["(", "[", "a{2,1}", "(?<n>x)", "x" * 2_001])
def test_what_is_no_pattern_or_too_long_is_refused(text):
    with pytest.raises(PatternError):
        bounded(text)


def test_a_value_that_cannot_be_held_to_a_pattern_does_not_fit():
    hostile = "a" * 40 + "!"
    for schema, value in (
        ({"pattern": r"^(a+)+$"}, hostile),
        ({"properties": {"a": {"pattern": r"^(a+)+$"}}}, {}),
        ({"patternProperties": {r"^(a+)+$": True}, "unevaluatedProperties": False}, {hostile: 1}),
        ({"pattern": r"\s+$"}, " " * 50_000 + "!"),
        ({"patternProperties": {r"\s+$": True}, "additionalProperties": False}, {" " * 50_000 + "!": 1}),
    ):
        assert "held to" in next(validator(schema).iter_errors(value)).message


def test_patterns_in_schemas_mean_what_they_mean():
    held = validator(
        {"properties": {"id": {"pattern": "^[A-Z]{2}$"}}, "patternProperties": {"^x-": {"type": "string"}},
         "additionalProperties": False}
    )  # fmt: skip
    assert list(held.iter_errors({"id": "AB", "x-a": "b"})) == []
    assert [error.message for error in held.iter_errors({"id": "ab"})] == ["'ab' does not match '^[A-Z]{2}$'"]
    assert len(list(held.iter_errors({"x-a": 1, "y": 2}))) == 2

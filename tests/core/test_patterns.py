"""Patterns that somebody else wrote keep nobody busy for ever, and ordinary ones on ordinary texts do what Python says."""

import re

import pytest

from weft.core.patterns import Patience, PatternError, compiled

FOR_EVER = [(r"(a|aa)+$", "a" * 80 + "b"), (r"\s+$", " " * 60_000 + "!")]
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


@pytest.mark.parametrize(("text", "on"), FOR_EVER)
def test_a_pattern_that_could_be_tried_for_ever_is_given_up(text, on):
    patience = Patience(0.1)
    with pytest.raises(PatternError, match="takes too long"):
        patience.search(text, on)
    with pytest.raises(PatternError, match="takes too long"):
        patience.search(text, on)  # nothing is left for the next one


@pytest.mark.parametrize(("text", "on"), ORDINARY)
def test_an_ordinary_pattern_finds_what_python_finds(text, on):
    found, expected = Patience().search(text, on), re.search(text, on)
    assert found is not None
    assert (found.span(), found.groups()) == (expected.span(), expected.groups())
    assert (Patience().search(text, "") is None) == (re.search(text, "") is None)


@pytest.mark.parametrize("text", ["(", "[", "a{2,1}", "(" * 1_000 + ")" * 1_000, "x" * 2_001])
def test_what_is_no_pattern_or_too_long_is_refused(text):
    with pytest.raises(PatternError):
        compiled(text)

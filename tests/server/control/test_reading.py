"""JSON from outside, cursors and times: small parts of the control API without a service."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import InputError
from weft.server.control.pages import Paging, cursor, cut, micros, place
from weft.server.reading import MAX_DEPTH, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_json_is_read_as_it_was_written(value):
    assert read_json(json.dumps(value).encode()) == value


def test_depth_is_bounded_exactly():
    def nested(levels):
        return b"[" * levels + b"]" * levels

    assert read_json(nested(MAX_DEPTH)) is not None
    with pytest.raises(ValueError, match="deeper"):
        read_json(nested(MAX_DEPTH + 1))
    with pytest.raises(ValueError, match="recursion"):
        read_json(b"[" * 1_000_000)
    assert len(read_json(b"[" + b"[]," * 500 + b"[]]")) == 501


@pytest.mark.parametrize(
    "text", [b"NaN", b"1e999", b"-1e400", b"1" * 400 + b".0", b'"\\ud800"', b"\xff", b"", b"{", b'{"a":Infinity}']
)
def test_what_cannot_be_carried_on_is_no_json(text):
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


@given(st.integers(-(2**60), 2**60), st.text())
def test_a_cursor_comes_back_as_it_went(number, text):
    assert place(cursor(number, text), int, str) == (number, text)


@given(st.text(max_size=50))
def test_no_text_makes_a_cursor_fail_otherwise(text):
    try:
        assert place(text, int, str)
    except InputError as error:
        assert "cursor" in error.message  # noqa: PT017 -- both ways are right


@pytest.mark.parametrize("value", [[1], [1, 2], ["a", "b"], [True, "a"], [2**70, "a"], {"a": 1}, None, [1.5, "a"]])
def test_a_cursor_of_another_list_is_refused(value):
    text = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    with pytest.raises(InputError):
        place(text, int, str)


def test_a_whole_list_is_cut_into_pages():
    whole, seen, at = list(range(7)), [], None
    while True:
        page, at = cut(whole, Paging(limit=3, cursor=at))
        seen.append(page)
        if at is None:
            break
    assert seen == [[0, 1, 2], [3, 4, 5], [6]]
    assert cut([], Paging()) == ([], None)
    assert cut(whole, Paging(cursor=cursor(-5), limit=1))[0] == [0]


def test_times_without_a_zone_are_utc():
    assert micros(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000
    assert micros(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0
    assert micros(datetime.max.replace(tzinfo=UTC)) < 2**63
    assert micros(datetime.min) > -(2**63)
    assert micros(None) is None

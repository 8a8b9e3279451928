"""Times on the way out and back."""

import pytest

from weft.core.clock import exact_iso, from_iso, iso

AT = 1_795_986_956_529_114


def test_an_exact_time_comes_back_as_it_was():
    assert exact_iso(AT) == "2026-11-29T21:15:56.529114Z"
    assert [from_iso(exact_iso(at)) for at in (0, 1, AT, AT + 1)] == [0, 1, AT, AT + 1]
    assert iso(AT) == "2026-11-29T21:15:56.529Z"


def test_a_time_without_a_zone_is_in_utc_and_one_with_another_is_brought_there():
    assert from_iso("2026-11-29T21:15:56.529114") == from_iso("2026-11-29T22:15:56.529114+01:00") == AT


def test_what_is_no_time_is_refused():
    with pytest.raises(ValueError):
        from_iso("noon")

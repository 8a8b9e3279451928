"""Canonical JSON: what UTF-8 has no form for."""

import pytest

from weft.core.canonical import as_written, dumps, loads, well_formed


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\ud83d\ude00b", "a\U0001f600b"),  # as two chunks of a stream that were put together
        ("a\ud83d", "a?"),
        ("\ude00\ud83d", "??"),
        ("\ud83d\ud83d\ude00", "?\U0001f600"),
        ("ü\0\U0001f600", "ü\0\U0001f600"),
    ],
)
def test_halves_that_belong_together_are_one_character_and_others_a_mark(text, kept):
    assert well_formed(text) == loads(dumps(text)) == loads(as_written(text)) == kept
    assert loads(dumps({text: [text]})) == {kept: [kept]}

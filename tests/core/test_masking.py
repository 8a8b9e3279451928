"""A secret is taken out of whatever may have been made of it on its way."""

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from weft.core.masking import MASK, KnownValues

SECRET = "cAn/se+c=r\"et&v<x>!('9%é"
ENCODERS = {
    "plain": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"k": text})),
    "JSON as PHP writes it": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON for HTML": lambda text: json.dumps(text).translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&"}),
    "a part of a URL": lambda text: quote(text, safe=""),
    "a path": quote,
    "a form": quote_plus,
    "encodeURIComponent": lambda text: quote(text, safe="!'()*"),
    "encodeURI": lambda text: quote(text, safe="/!$&'()*+,:;=@?"),
    "a URL with small digits": lambda text: "".join(_small(quote(text, safe=""))),
    "HTML": escape,
    "HTML as Go writes it": lambda text: escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "basic authorization": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
}


@pytest.mark.parametrize("how", ENCODERS)
@pytest.mark.parametrize("secret", [SECRET, "plain0Secret", "with/slash&amp"])
def test_a_secret_is_masked_however_it_is_written(how, secret):
    written = ENCODERS[how](secret)
    masked = KnownValues([secret]).text(f"before {written} after")
    assert MASK in masked
    assert written not in masked
    assert secret[:5] not in masked


def _small(text):
    """`text` with the digits of its escapes in small letters."""
    at = 0
    while at < len(text):
        step = 3 if text[at] == "%" else 1
        yield text[at : at + step].lower() if step == 3 else text[at]
        at += step


def test_what_is_not_the_secret_is_left_as_it_is():
    text = "plain0 Secret, 706c61, cGxhaW4w"
    assert KnownValues(["plain0Secret"]).text(text) == text


@pytest.mark.parametrize("secret", ["sk-proj-0123456789abcdefghij", SECRET, "hunter2-and-more"])
@pytest.mark.parametrize("how", ["plain", "Base64", "hexadecimal", "JSON"])
def test_the_greater_half_of_a_secret_is_masked_where_a_text_was_cut(secret, how):
    known = KnownValues([secret])
    written = ENCODERS[how](secret).strip('"')
    for left in range(max(8, len(written) // 2 + 1), len(written)):
        for cut in ("", "…"):
            end = known.text(f"the key is {written[:left]}{cut}")
            assert MASK in end and written[: max(8, len(written) // 2)] not in end, (left, end)
            begin = known.text(f"{cut}{written[-left:]} was the key")
            if how == "Base64" and "=" in written:
                continue
            assert MASK in begin and written[-max(8, len(written) // 2) :] not in begin, (left, begin)


def test_words_that_a_secret_begins_with_are_left():
    known = KnownValues(["postgresql://weft:hunter2@db.internal/weft"])
    for text in ("we use postgresql", "postgresql://", "see postgresql://docs", "internal/weft", ""):
        assert known.text(text) == text

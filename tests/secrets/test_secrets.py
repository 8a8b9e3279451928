"""Secrets are given out at the moment of use, and shown nowhere."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import AuthError, PolicyError, UnsupportedError
from weft.core.masking import MASK
from weft.secrets.resolve import SecretRef, Secrets

REFS = (SecretRef(name="TOKEN", key="MY_TOKEN"), SecretRef(name="other", key="OTHER"))


def secrets(**environ):
    return Secrets(REFS, environ=environ)


def test_references_are_resolved_from_the_environment():
    known = secrets(MY_TOKEN="tok-12345", OTHER="oth-12345")
    assert known.resolve("TOKEN") == "tok-12345"
    assert known.expand("Bearer ${TOKEN}; ${other}; $TOKEN") == "Bearer tok-12345; oth-12345; $TOKEN"
    filled = known.fill({"a": [{"$secret": "TOKEN"}], "b": "${TOKEN}", "c": {"$secret": "x", "more": 1}, "d": 1})
    assert filled == {"a": ["tok-12345"], "b": "${TOKEN}", "c": {"$secret": "x", "more": 1}, "d": 1}


def test_the_environment_is_read_at_the_moment_of_use():
    environ = {"MY_TOKEN": "first-value"}
    known = Secrets(REFS, environ=environ)
    environ["MY_TOKEN"] = "second-value"
    assert known.resolve("TOKEN") == "second-value"


@pytest.mark.parametrize("environ", [{}, {"MY_TOKEN": ""}])
def test_a_missing_variable_is_named_with_the_fix(environ):
    with pytest.raises(AuthError, match="MY_TOKEN") as caught:
        secrets(**environ).expand("${TOKEN}")
    assert "export MY_TOKEN" in caught.value.fix


def test_an_undeclared_name_is_refused_even_when_the_environment_has_it():
    with pytest.raises(AuthError, match="HOME") as caught:
        secrets(HOME="/root").expand("${HOME}")
    assert "env.secrets" in caught.value.fix


def test_other_sources_are_unsupported():
    with pytest.raises(UnsupportedError, match="ssm"):
        Secrets([SecretRef(name="a", key="b", source="ssm")])


def test_values_are_in_no_representation():
    known = secrets(MY_TOKEN="tok-12345")
    known.resolve("TOKEN")
    assert "tok-12345" not in repr(known) + str(known) + repr(REFS)
    assert "TOKEN" in repr(known)


def test_declared_values_are_masked_and_those_given_out_are_told_once():
    told = []
    known = Secrets(REFS, environ={"MY_TOKEN": "tok-12345", "OTHER": "oth-12345"}, on_resolve=told.append)
    known.resolve("TOKEN")
    known.resolve("TOKEN")
    assert known.mask("tok-12345 oth-12345 other") == f"{MASK} {MASK} other"
    assert told == ["tok-12345"]


@given(st.text(min_size=6, max_size=40).filter(lambda value: len(value.strip()) >= 6), st.text(), st.text())
def test_a_value_is_masked_however_it_is_written(value, before, after):
    known = secrets(MY_TOKEN=value)
    known.resolve("TOKEN")
    bare = value.strip()
    encoded = base64.b64encode(bare.encode(errors="replace")).decode()
    for form in (bare, json.dumps(bare)[1:-1], quote(bare, safe="", errors="replace"), encoded):
        assert MASK in known.mask(f"{before}{form}{after}")
    assert known.mask(bare) == MASK


def test_a_secret_that_begins_with_another_goes_as_a_whole():
    known = secrets(MY_TOKEN="abcdef", OTHER="abcdef-and-more")
    known.resolve("TOKEN")
    known.resolve("other")
    assert known.mask("x abcdef-and-more y abcdef") == f"x {MASK} y {MASK}"


def test_masking_reaches_every_text_of_a_value():
    known = secrets(MY_TOKEN="tok-12345")
    known.resolve("TOKEN")
    value = {"tok-12345": ["a tok-12345", {"b": "tok-12345"}], "n": 1, "z": None}
    assert known.mask_json(value) == {MASK: [f"a {MASK}", {"b": MASK}], "n": 1, "z": None}


def test_short_values_do_not_eat_ordinary_words():
    known = secrets(MY_TOKEN="a")
    known.resolve("TOKEN")
    assert known.mask("banana") == "banana"


def test_a_declared_secret_is_masked_before_anybody_asked_for_it_and_so_is_what_else_must_not_be_seen():
    known = Secrets(REFS, environ={"MY_TOKEN": "tok-12345"}, also_masked=["key-67890"])
    assert known.mask_json({"said": "tok-12345 and key-67890"}) == {"said": f"{MASK} and {MASK}"}


@pytest.mark.parametrize("key", ["WEFT_SERVER__TOKEN", "WEFT_ENCRYPTION__KEY", "WEFT_STORE"])
def test_our_own_settings_are_no_secrets_of_workflows(key):
    secrets = Secrets([SecretRef(name="s", key=key)], environ={key: "very-secret-indeed"})
    with pytest.raises(PolicyError, match="a setting of Weft itself"):
        secrets.resolve("s")
    assert "very-secret" not in secrets.mask("it is very-secret-indeed")

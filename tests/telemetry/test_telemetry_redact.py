import base64
import json
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.masking import MASK, MIN_SECRET
from weft.telemetry.redact import Redactor

SECRETS = st.text(min_size=MIN_SECRET, max_size=40).filter(
    lambda s: len(s.strip()) >= MIN_SECRET and s.strip() not in MASK
)
ALNUM = string.ascii_letters + string.digits
WORDS = st.text(alphabet=string.ascii_letters + " .,\n", max_size=60)


def token(size):
    return st.text(alphabet=ALNUM, min_size=size - 1, max_size=size - 1).map(lambda s: s + "7")


FORMS = st.one_of(
    token(24).map(lambda t: (f"sk-{t}", t)),
    token(24).map(lambda t: (f"sk-ant-api03-{t}", t)),
    token(36).map(lambda t: (f"ghp_{t}", t)),
    st.text(alphabet=string.ascii_uppercase + string.digits, min_size=16, max_size=16).map(lambda t: (f"AKIA{t}", t)),
    token(30).map(lambda t: (f"Bearer {t}", t)),
    token(30).map(lambda t: (f"Authorization: Basic {t}", t)),
    token(30).map(lambda t: (f"eyJ{t}.{t}.{t}", t)),
    token(12).map(lambda t: (f"password={t}", t)),
    token(12).map(lambda t: (f'"client_secret": "{t}"', t)),
    token(12).map(lambda t: (f"AWS_SECRET_ACCESS_KEY={t}", t)),
    token(12).map(lambda t: (f"postgres://app:{t}@db/main", t)),
    token(64).map(lambda t: (f"-----BEGIN RSA PRIVATE KEY-----\n{t}\n-----END RSA PRIVATE KEY-----", t)),
    token(64).map(lambda t: (f"-----BEGIN PRIVATE KEY-----\n{t}", t)),
)


@given(SECRETS, WORDS, WORDS)
def test_a_registered_value_never_leaves_in_any_text(secret, before, after):
    redactor = Redactor([secret])
    assert secret.strip() not in redactor.text(f"{before}{secret}{after}").replace(MASK, "\0")


@given(SECRETS, st.integers(min_value=0, max_value=8))
def test_a_registered_value_never_leaves_encoded(secret, lead):
    redactor = Redactor([secret])
    secret = secret.strip()
    raw = secret.encode(errors="replace")
    assert redactor.text(json.dumps({"x": f"a{secret}b"})) != json.dumps({"x": f"a{secret}b"})
    assert MASK in redactor.text(f"q={quote(secret, safe='')}")
    if len(raw) >= 9:
        assert MASK in redactor.text(base64.b64encode(b"u" * lead + raw + b"tail").decode())


@given(FORMS, WORDS, WORDS)
def test_a_credential_of_a_known_form_never_leaves(planted, before, after):
    text, canary = planted
    assert canary not in Redactor().text(f"{before} {text} {after}")


@given(
    FORMS,
    SECRETS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | WORDS,
        lambda x: st.lists(x, max_size=3) | st.dictionaries(WORDS, x, max_size=3),
        max_leaves=8,
    ),
)
def test_nothing_planted_in_json_leaves_and_the_rest_keeps_its_shape(planted, secret, other):
    text, canary = planted
    value = {"a": [text, {"b": other}], text: 1, "n": {"password": "quite ordinary"}, "s": secret}
    clean = Redactor([secret]).json(value)
    assert canary not in json.dumps(clean)
    assert secret.strip() not in clean["s"].replace(MASK, "\0")
    assert clean["n"] == {"password": MASK}
    assert type(clean["a"][1]["b"]) is type(other)
    assert len(clean) == 4


@given(st.one_of(FORMS.map(lambda p: p[0]), WORDS, st.text(max_size=80)))
def test_what_is_clean_stays_as_it_is(text):
    redactor = Redactor()
    once = redactor.text(text)
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "0198c0de-7000-7000-8000-000000000000",
        "internationalization_of_everything_that_we_have",
        "the risk-based-approach-of-2024-and-more",
        "max_tokens: 4096, tokens=123456, next token: something",
        "The password: required. Bearer of bad news; basic authorization is not enough.",
        "secret: how to cook a cookie: with chocolate",
        "primary_key=customer_id keyboard=qwertyuiop tokenize: true",
        "password=${DB_PASSWORD} and {{ secrets.password }}",
        "https://example.org:8080/a@b?token_count=12",
        "git commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "/home/me/projects/sk-learn-notes/readme.md",
    ],
)
def test_ordinary_text_is_not_touched(text):
    assert Redactor().text(text) == text


def test_keys_that_name_a_secret_hide_every_text_below_and_others_nothing():
    value = {
        "apiKey": "k",
        "OPENAI_API_KEY": "k",
        "user-token": "k",
        "accessToken": "k",
        "Set-Cookie": "k",
        "credentials": {"user": "k", "list": ["k"], "port": 5},
    }
    assert '"k"' not in json.dumps(Redactor().json(value))
    plain = {
        "max_tokens": 5,
        "tokens": "t",
        "token_type": "t",
        "key": "t",
        "keys": "t",
        "password_policy": "t",
        "secretary": "t",
    }
    assert Redactor().json(plain) == plain


def test_references_to_secrets_and_empty_values_stay():
    value = {"api_key": {"$secret": "OPENAI"}, "password": "", "secret": None}
    assert Redactor().json(value) == value


def test_very_short_values_are_refused_rather_than_masked_everywhere():
    redactor = Redactor()
    assert redactor.register("abc") is False
    assert redactor.register("abcdef") is True
    assert redactor.text("abc abcdef") == f"abc {MASK}"


def test_of_two_values_the_longer_goes_first():
    assert Redactor(["secret-a", "secret-a-and-b"]).text("x secret-a-and-b y") == f"x {MASK} y"


def test_values_nested_beyond_reason_are_masked():
    value = canary = "sk-aaaabbbbccccdddd1"
    for _ in range(500):
        value = [value]
    assert canary not in json.dumps(Redactor().json(value))


@pytest.mark.parametrize(
    "unit",
    [
        "a_",
        "password",
        "secret: ",
        'token="a',
        "key_",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "a://b:",
        "bearer ",
        "sk-",
        "token=\\",
    ],
)
@pytest.mark.slow
def test_hostile_text_costs_linear_time(unit):
    redactor = Redactor(["some-secret"])
    start = time.process_time()
    redactor.text(unit * (200_000 // len(unit)))
    assert time.process_time() - start < 2

import os
from pathlib import Path

import pytest

from weft.core.errors import InputError
from weft.core.settings import Settings, explain, load_settings, variable

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("WEFT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def refusal():
    with pytest.raises(InputError) as caught:
        load_settings()
    return caught.value


def sources():
    return {row.name: row.source for row in explain(load_settings())}


def test_without_any_setting_everything_has_a_value(clean):
    settings = load_settings()
    assert settings.home == clean / "data" / "weft"
    assert settings.durability == "full"
    assert settings.limits.calls == 64
    assert settings.telemetry.endpoint is None
    assert {row.source for row in explain(settings)} == {"default"}


def test_the_environment_wins_over_the_working_folder_and_that_over_the_home(clean, monkeypatch):
    home = clean / "home"
    home.mkdir()
    (home / "weft.toml").write_text("[net]\ntimeout_s = 1\nconnect_timeout_s = 1\nmax_response_bytes = 1\n")
    Path("weft.toml").write_text(f'home = "{home}"\n\n[net]\ntimeout_s = 2\nconnect_timeout_s = 2\n')
    monkeypatch.setenv("WEFT_NET__TIMEOUT_S", "3")
    net = load_settings().net
    assert (net.timeout_s, net.connect_timeout_s, net.max_response_bytes) == (3, 2, 1)
    told = sources()
    assert told["net.timeout_s"] == "WEFT_NET__TIMEOUT_S"
    assert told["net.connect_timeout_s"] == f"{clean / 'work' / 'weft.toml'}:5"
    assert told["net.max_response_bytes"] == f"{home / 'weft.toml'}:4"
    assert told["net.allow_private"] == "default"


def test_lists_in_variables_are_separated_by_commas_and_groups_may_be_json(monkeypatch):
    monkeypatch.setenv("WEFT_NET__ALLOWED_DOMAINS", "example.org, example.com,")
    monkeypatch.setenv("WEFT_LIMITS", '{"calls": 7}')
    settings = load_settings()
    assert settings.net.allowed_domains == ("example.org", "example.com")
    assert settings.limits.calls == 7
    assert sources()["limits.calls"] == "WEFT_LIMITS"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["example.org", "example.com"]', ("example.org", "example.com")),
        ("[]", ()),
        ("[a-z]+,[0-9]", ("[a-z]+", "[0-9]")),
        ("[1, 2]", ("[1", "2]")),
    ],
)
def test_lists_in_variables_may_be_json(monkeypatch, text, names):
    monkeypatch.setenv("WEFT_NET__ALLOWED_DOMAINS", text)
    assert load_settings().net.allowed_domains == names


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("WEFT_MODEL", "")
    assert load_settings().model is None


def test_all_problems_are_told_at_once_each_with_its_place(monkeypatch):
    Path("weft.toml").write_text('durabilty = "full"\n\n[limits]\ncalls = 0\n\n[log]\nformat = "xml"\n')
    monkeypatch.setenv("WEFT_NET__ALLOW_LOOPBACK", "perhaps")
    error = refusal()
    found = {(p.get("line"), p.get("pointer")) for p in error.ids["problems"]}
    assert {(1, "/durabilty"), (4, "/limits/calls"), (7, "/log/format")} < found
    assert "did you mean `durability`?" in error.message
    assert "WEFT_NET__ALLOW_LOOPBACK" in error.message
    assert "greater than or equal to 1" in error.message
    assert "'xml'" in error.message
    assert error.place.file.endswith("weft.toml")
    assert error.fix


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("WEFT_NET__ALLOW_LOOPBAK", "`net.allow_loopback`"),
        ("WEFT_DURABILTY", "WEFT_DURABILITY"),
        ("WEFT_NET_ALLOW_LOOPBACK", "WEFT_NET__ALLOW_LOOPBACK"),
    ],
)
def test_a_slip_in_a_variable_is_refused_with_the_right_name(monkeypatch, name, hint):
    monkeypatch.setenv(name, "1")
    assert hint in refusal().message


def test_a_variable_of_another_program_is_let_alone(monkeypatch):
    monkeypatch.setenv("WEFT_ACME_CUSTOMER", "1")
    assert load_settings().model is None


@pytest.mark.parametrize(
    "text",
    ["a = ", "[net\n", "net = 5", "[limits.calls]\nx = 1", 'telemetry.headers = "no"', 'home = "~nobody-here/x"'],
)
def test_a_broken_file_is_a_clear_error_with_its_line(text):
    Path("weft.toml").write_text(text)
    error = refusal()
    assert error.place.file.endswith("weft.toml")
    assert error.place.line == 1
    assert "weft.toml" in error.message


def test_a_file_in_another_encoding_or_too_large_is_refused():
    Path("weft.toml").write_bytes(b"model = \xff\xfe")
    assert "not TOML" in refusal().message
    Path("weft.toml").write_bytes(b"#" * 2_000_000)
    assert "1,048,576" in refusal().message


def test_broken_json_in_a_variable_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("WEFT_TELEMETRY", "{")
    assert "telemetry" in refusal().message


def test_a_home_cannot_move_itself(clean, monkeypatch):
    monkeypatch.setenv("WEFT_HOME", str(clean))
    (clean / "weft.toml").write_text('home = "/elsewhere"\n')
    assert "cannot move itself" in refusal().message


@pytest.mark.parametrize("value", ["ftp://x", "127.0.0.1:4318", "http://", "http://h:0", "http://h:port"])
def test_an_endpoint_must_be_an_http_address(monkeypatch, value):
    monkeypatch.setenv("WEFT_TELEMETRY__ENDPOINT", value)
    assert "must be an address" in refusal().message
    monkeypatch.setenv("WEFT_TELEMETRY__ENDPOINT", "console")
    assert load_settings().telemetry.endpoint == "console"
    monkeypatch.setenv("WEFT_BASE_URL", "console")
    assert "must be an address" in refusal().message


def test_secrets_are_masked_wherever_settings_are_shown(monkeypatch):
    monkeypatch.setenv("WEFT_TELEMETRY__HEADERS", '{"authorization": "Basic canary-1"}')
    monkeypatch.setenv("WEFT_BASE_URL", "https://user:canary-2@example.org/v1")
    settings = load_settings()
    assert settings.telemetry.headers["authorization"].get_secret_value() == "Basic canary-1"
    rows = {row.name: row.value for row in explain(settings)}
    assert "canary" not in str(rows)
    assert rows["base_url"].endswith("@example.org/v1")
    monkeypatch.setenv("WEFT_TELEMETRY__HEADERS", '{"authorization": {"canary-3": 1}}')
    assert "canary" not in str(refusal().as_json())


def test_relative_folders_are_taken_from_the_working_folder(monkeypatch):
    monkeypatch.setenv("WEFT_HOME", "state")
    assert load_settings().home == Path.cwd() / "state"


def test_settings_made_by_hand_ignore_the_environment(monkeypatch):
    monkeypatch.setenv("WEFT_MODEL", "other/model")
    assert Settings().model is None


def test_the_documentation_names_every_setting_with_its_variable_and_default():
    text = DOCS.read_text()
    for row in explain(Settings(home="/h")):
        line = next((line for line in text.splitlines() if line.startswith(f"| `{row.name}` ")), None)
        assert line, f"docs/settings.md lacks {row.name}"
        assert f"`{variable(row.name)}`" in line
        assert row.description in line

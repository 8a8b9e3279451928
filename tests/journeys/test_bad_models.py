"""Providers that refuse, fail, babble, break off and keep silent: what the user sees, and that no key is ever seen."""

from dataclasses import dataclass

import pytest

from tests.journeys.conftest import LIMIT_MB, PROVIDER_KEY, Desk, Said, flow, plain
from weft.testing.providers import FakeProvider, Script, Turn, fail, garbage, half, hang, say, slow

pytestmark = pytest.mark.slow

BODY = """\
  failure_policy: {retries: 1, wait_min: 0.01, wait_max: 0.02}
agents: {one: {prompt: p}}
pattern: {type: chain, config: {steps: [{agent: one, input: hi}]}}
outputs: {artifacts: [{path: x.md, from: '{{ last_response }}'}]}
"""
IN_TIME = "  budgets: {max_duration_s: 3}\n"


@dataclass(frozen=True)
class Bad:
    """What a provider does, what it costs in requests, and what answers the user."""

    turn: Turn | Script
    code: int
    requests: int
    says: tuple[str, ...]
    head: str = ""


ANSWERS = {
    "429 without end": Bad(
        fail(429, "slow down", retry_after="30"),
        20,
        1,
        ("again in 30.0 s", "asks to slow down (429)", "max_duration_s is 3"),
        IN_TIME,
    ),
    "500": Bad(fail(500, "on fire"), 10, 2, ("failed (500). on fire", "fix: Try again later")),
    "503, an HTML page": Bad(
        Turn(status=503, text="<html>down</html>"), 10, 2, ("failed (503)", "fix: Try again later")
    ),
    "401 that quotes the key": Bad(
        fail(401, f"Incorrect API key: {PROVIDER_KEY}"), 13, 1, ("fix: Check OPENAI_API_KEY",)
    ),
    "403": Bad(fail(403, "not for you"), 13, 1, ("not for you", "fix: Check OPENAI_API_KEY")),
    "404": Bad(fail(404, "no such model"), 10, 1, ("no such model", "fix: Check the model's name 'gpt-4o-mini'")),
    "400": Bad(fail(400, "not like this"), 10, 1, ("refuses the request (400). not like this", "fix:")),
    "500 that quotes the key": Bad(fail(500, f"header was Bearer {PROVIDER_KEY}"), 10, 2, ("failed (500)",)),
    "a page instead of JSON": Bad(
        garbage(), 10, 1, ("cannot be read", "fix: Check that the address is that of a model server")
    ),
    "other JSON": Bad(garbage(b'{"a": [1]}'), 10, 1, ("cannot be read", "fix: Check that the address")),
    "bytes": Bad(garbage(b"\xff\xfe\x00\x01" * 9), 10, 1, ("cannot be read", "fix: Check that the address")),
    "half an answer": Bad(half(), 10, 2, ("broke", "fix: Check the base URL. Try again later")),
    "nothing in it": Bad(say(""), 10, 2, ("gave an empty answer", "fix: Try again later")),
    "a body without a byte": Bad(garbage(b""), 10, 2, ("gave an empty answer", "fix: Try again later")),
    "nothing at all": Bad(hang(), 20, 1, ("max_duration_s is 3", "fix: raise max_duration_s"), IN_TIME),
    "20 MB of words": Bad(say("word " * 4_000_000), 10, 1, ("20000000 characters", "fix: set max_tokens")),
    "100 MB of words": Bad(say("word " * 20_000_000), 10, 1, ("larger than 64 MiB", "fix: Set max_tokens")),
}


def ask(desk: Desk, fake: FakeProvider, head: str = "") -> Said:
    desk.reach(fake)
    desk.write("flow.yaml", flow(head + BODY))
    return desk("run", "flow.yaml", within=30)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_bad_provider_is_answered_with_what_it_did_and_a_fix(desk, name):
    case = ANSWERS[name]
    with FakeProvider("openai", case.turn, key=PROVIDER_KEY) as fake:
        said = ask(desk, fake, case.head)
        assert len(fake.requests) == case.requests
    assert (said.code, said.out) == (case.code, ""), said.all
    assert [fragment for fragment in case.says if plain(fragment) not in plain(said.all)] == [], said.all
    assert said.megabytes < LIMIT_MB
    assert not (desk.folder / "artifacts" / "x.md").exists()
    shown = desk("show", "last")
    assert (shown.code, "failed" in shown.out) == (0, True)
    assert desk("verify", "last").code == 0


@pytest.mark.parametrize(
    "turn",
    [fail(429, "slow down", retry_after="1"), fail(500, "on fire"), half(), say("")],
    ids=["429", "500", "half", "empty"],
)
def test_what_passes_by_itself_is_waited_for_and_shown(desk, turn):
    with FakeProvider("openai", Script(turn, say("fine")), key=PROVIDER_KEY) as fake:
        said = ask(desk, fake)
        assert len(fake.requests) == 2
    assert (said.code, said.out) == (0, "fine\n"), said.all
    assert " retry /step[0]/agent/model[0] again " in said.all
    (retry,) = desk.events("step.retrying")
    if turn.status == 429:
        assert said.seconds > 1
        assert "again in 1.0 s" in said.all
        assert retry["data"]["parked"]


def test_a_failed_run_goes_on_once_the_provider_is_well(desk):
    with FakeProvider("openai", Script(fail(401), say("fine"))) as fake:
        assert ask(desk, fake).code == 13
        said = desk("resume", "last")
    assert (said.code, said.out) == (0, "fine\n")
    assert desk.read("artifacts/x.md") == "fine"


def test_nobody_at_the_address_is_a_broken_connection(desk):
    desk.environ |= {"OPENAI_API_KEY": PROVIDER_KEY}
    desk.write("flow.yaml", flow(BODY))
    said = desk("run", "flow.yaml", "--base-url", "http://127.0.0.1:9/v1", within=30)
    assert said.code == 10
    assert "the connection to openai/gpt-4o-mini broke" in said.all


def test_a_missing_key_is_named_before_anything_starts(desk):
    desk.write("flow.yaml", flow(BODY))
    said = desk("run", "flow.yaml")
    assert said.code == 13
    assert "needs OPENAI_API_KEY" in said.all
    assert "--offline" in said.all
    assert desk("runs", "list", "--json").json["runs"] == []


def test_a_slow_provider_is_waited_for_no_longer_than_the_step_allows(desk):
    desk.write("flow.yaml", flow(BODY.replace("input: hi", "input: hi, timeout_s: 0.5, retries: 0")))
    with FakeProvider("openai", slow(say("late"), 20)) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", within=15)
    assert said.code == 10
    assert "fix:" in said.err
    assert "0.5" in said.all


def test_a_request_that_was_given_up_keeps_no_command_waiting(desk):
    """The client of this provider waits in a thread of its own, which nothing can stop."""
    with FakeProvider("bedrock", hang()) as fake:
        desk.reach(fake)
        desk.write("flow.yaml", flow(IN_TIME + BODY))
        flags = ("--provider", "bedrock", "--model", "us.anthropic.claude-3-5-sonnet-20241022-v2:0")
        said = desk("run", "flow.yaml", *flags, within=60)
        assert len(fake.requests) == 1
    assert (said.code, said.out) == (20, ""), said.all
    assert "max_duration_s is 3" in said.all

"""Files that are wrong in every way people and attackers know: what the user sees, in bounded time and memory."""

import json
from dataclasses import dataclass

import pytest

from tests.journeys.conftest import LIMIT_MB, Said, flow, plain

STEP = "agents: {one: {prompt: p}}\npattern: {type: chain, config: {steps: [{agent: one, input: hi}]}}\n"
GOOD = flow(STEP, provider="offline", model="extract")
TASKS = """\
agents: {one: {prompt: p}}
pattern:
  type: workflow
  config:
    tasks:
      - {id: a, agent: one, deps: [c]}
      - {id: b, agent: one, deps: [a]}
      - {id: c, agent: one, deps: [b]}
"""
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@dataclass(frozen=True)
class Bad:
    """A file, and the code and words that answer it."""

    content: str | bytes
    code: int
    says: tuple[str, ...]
    name: str = "flow.yaml"


def step(text: str) -> str:
    """A file whose one step has the input `text`."""
    return GOOD.replace("input: hi", f"input: {json.dumps(text)}")


FILES = {
    "broken YAML": Bad("version: 0\nname: [a\nruntime: {", 3, ("flow.yaml:3:", "error:", "fix:")),
    "tabs in YAML": Bad("version: 0\n\tname: x\n", 3, ("flow.yaml:2:", "tab")),
    "broken JSON": Bad('{"version": 0,', 3, ("flow.json:1:", "error:"), "flow.json"),
    "nothing": Bad("", 3, ("flow.yaml", "fix:")),
    "a text": Bad("just some words", 3, ("a workflow is a map", "fix: start with `version: 0`")),
    "a list": Bad("- a\n- b\n", 3, ("a workflow is a map",)),
    "not UTF-8": Bad(
        "version: 0\nname: caf\u00e9\n".encode("latin-1"),
        3,
        ("flow.yaml:2", "not UTF-8: byte 0xe9", "save the file as UTF-8"),
    ),
    "UTF-16": Bad(GOOD.encode("utf-16"), 3, ("not UTF-8", "save the file as UTF-8")),
    "NUL bytes": Bad(b"version: 0\0\0", 3, ("flow.yaml:1", "error:")),
    "a picture": Bad(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 3, ("not UTF-8",)),
    "another suffix": Bad(GOOD, 3, ("unknown kind of file '.txt'", ".yaml, .yml, .json"), "flow.txt"),
    "a YAML bomb": Bad(BOMB, 3, ("200,000", "fix:")),
    "a ring of aliases": Bad("a: &a [*a]\n", 3, ("flow.yaml:1", "error:")),
    "a deep nest": Bad("a: " + "[" * 5_000 + "]" * 5_000, 3, ("100 levels",)),
    "a deep nest in JSON": Bad("[" * 100_000, 3, ("flow.json:1", "100 levels"), "flow.json"),
    "a Python object": Bad("a: !!python/object/apply:os.system [id]\n", 3, ("tag", "fix:")),
    "two documents": Bad(GOOD + "---\n" + GOOD, 3, ("document",)),
    "a key twice": Bad(GOOD + "name: again\n", 3, ("flow.yaml:8:1", "the key 'name' is here twice")),
    "wrong types": Bad(
        flow("  max_parallel: many\n  temperature: hot\n" + STEP).replace("name: journey", "name: 5"),
        3,
        ("/name", "/runtime/max_parallel", "/runtime/temperature", "3 errors"),
    ),
    "unknown keys": Bad(
        GOOD.replace("runtime:", "runtyme:").replace("prompt:", "promt:"),
        3,
        ("/runtyme", "did you mean 'runtime'?", "/agents/one/promt", "did you mean 'prompt'?"),
    ),
    "an unknown provider": Bad(GOOD.replace("offline", "opnai"), 3, ("/runtime/provider", "'openai'")),
    "an unknown pattern": Bad(GOOD.replace("type: chain", "type: chian"), 3, ("/pattern/type", "'chain'")),
    "an unknown agent": Bad(GOOD.replace("agent: one", "agent: onne"), 3, ("/pattern/config/steps/0/agent", "'one'")),
    "another pattern's config": Bad(GOOD.replace("type: chain", "type: parallel"), 3, ("branches",)),
    "a cycle": Bad(
        flow(TASKS, provider="offline", model="extract"), 3, ("a → c → b → a", "fix: remove one of these dependencies")
    ),
    "a task that waits for nobody": Bad(flow(TASKS.replace("[c]", "[x]"), provider="offline"), 3, ("'x'", "deps")),
    "a later step": Bad(step("{{ steps[3].response }}"), 3, ("steps[3]", "/pattern/config/steps/0/input")),
    "template syntax": Bad(step("{{ name "), 3, ("/pattern/config/steps/0/input", "error:")),
    "an unknown filter": Bad(step("{{ name | lowr }}"), 3, ("no filter 'lowr'", "did you mean 'lower'?")),
    "a class by its dunder": Bad(step("{{ ''.__class__.__mro__ }}"), 3, ("'__mro__' is out of reach",)),
    "an attribute filter": Bad(step("{{ '' | attr('__class__') }}"), 3, ("no filter 'attr'", "fix:")),
    "an import": Bad(step("{% import 'os' as os %}"), 3, ("import",)),
    "a missing $ref": Bad(GOOD.replace("{prompt: p}", "{$ref: nowhere.yaml}"), 3, ("nowhere.yaml", "no such file")),
    "a $ref that climbs out": Bad(
        GOOD.replace("{prompt: p}", "{$ref: ../../../../../../etc/passwd}"),
        3,
        ("/agents/one/$ref", "leaves the project folder"),
    ),
    "an absolute $ref": Bad(GOOD.replace("{prompt: p}", "{$ref: /etc/passwd}"), 3, ("/agents/one/$ref",)),
    "a missing schema": Bad(
        GOOD.replace("prompt: p", "prompt: p, output_schema: no.json"), 3, ("no.json", "no such file")
    ),
    "a schema that is none": Bad(
        GOOD.replace("prompt: p", "prompt: p, output_schema: {type: objct}"), 3, ("/agents/one/output_schema", "objct")
    ),
    "an artifact that climbs out": Bad(
        GOOD + "outputs: {artifacts: [{path: ../x.md, from: x}]}\n", 3, ("/outputs/artifacts/0/path", "..")
    ),
    "an absolute artifact": Bad(
        GOOD + "outputs: {artifacts: [{path: /tmp/x.md, from: x}]}\n", 3, ("/outputs/artifacts/0/path",)
    ),
    "money for a model without a price": Bad(
        flow("  budgets: {max_cost_usd: 1}\n" + STEP, model="nobody-knows"),
        3,
        ("max_cost_usd", "use max_tokens instead"),
    ),
}


def answers(case: Bad, said: Said) -> None:
    assert said.code == case.code, said.all
    assert [fragment for fragment in case.says if plain(fragment) not in plain(said.all)] == [], said.all
    assert said.megabytes < LIMIT_MB


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_answered_with_its_place_and_a_fix(near_desk, name):
    case = FILES[name]
    near_desk.write(case.name, case.content)
    answers(case, near_desk("validate", case.name, within=20))
    assert [path.name for path in near_desk.folder.iterdir()] == [case.name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["broken YAML", "a YAML bomb", "not UTF-8", "unknown keys", "a cycle", "a later step"])
def test_a_bad_file_starts_no_run(desk, name):
    case = FILES[name]
    desk.write(case.name, case.content)
    said = desk("run", case.name, within=20)
    answers(case, said)
    assert said.out == ""
    assert not (desk.folder / "artifacts").exists()
    assert desk("runs", "list", "--json").json["runs"] == []


def test_a_file_of_50_megabytes_is_refused_unread(desk):
    with (desk.folder / "flow.yaml").open("wb") as file:
        file.write(b"version: 0\nname: x\n")
        file.truncate(50_000_000)
    answers(Bad(b"", 3, ("larger than 10 MB", "fix: move large texts")), desk("validate", "flow.yaml", within=10))
    answers(Bad(b"", 3, ("larger than 10 MB", "fix: move large texts")), desk("run", "flow.yaml", within=10))


def test_ten_megabytes_of_yaml_are_refused_in_bounded_time(desk):
    desk.write("flow.yaml", "a:\n" + "- [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n" * 230_000)
    answers(Bad(b"", 3, ("more than 200,000 values",)), desk("validate", "flow.yaml", within=30))


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["nowhere.yaml"], 3, ("nowhere.yaml", "there is no such file")),
        (["."], 3, ("this is a folder",)),
        (["flow.yaml", "--var", "nonsense"], 2, ("nonsense", "fix: write --var name=value")),
        (["flow.yaml", "--var", "a=@nowhere.txt"], 2, ("nowhere.txt", "fix:")),
        (["flow.yaml", "--provider", "opnai"], 2, ("there is no provider 'opnai'", "did you mean 'openai'?")),
        (["flow.yaml", "--durability", "none"], 2, ("durability", "fix:")),
        (["flow.yaml", "--out", "flow.yaml"], 12, ("flow.yaml", "--out")),
    ],
)
@pytest.mark.slow
def test_a_bad_command_line_is_answered_with_a_fix(near_desk, args, code, says):
    near_desk.write("flow.yaml", GOOD + "outputs: {artifacts: [{path: x.md, from: x}]}\n")
    answers(Bad(b"", code, says), near_desk("run", *args))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tools", "says"),
    [
        ("http_executors: [{id: api, base_url: 'http://169.254.169.254/latest'}]", ("169.254.169.254", "fix:")),
        ("http_executors: [{id: api, base_url: 'http://127.0.0.1:1/'}]", ("127.0.0.1", "net.allow_loopback")),
        ("http_executors: [{id: api, base_url: 'http://me:pass@example.org/'}]", ("fix:",)),
        ("python: ['os:system']", ("os", "tools.allowed_modules")),
    ],
)
def test_what_a_rule_denies_is_said_before_anything_starts(near_desk, tools, says):
    near_desk.write("flow.yaml", GOOD + f"tools: {{{tools}}}\n")
    said = near_desk("run", "flow.yaml")
    assert said.code in {2, 11}, said.all
    assert [fragment for fragment in says if plain(fragment) not in plain(said.all)] == [], said.all
    assert near_desk("runs", "list", "--json").json["runs"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["{{ ''['__class__'] }}", "{{ name['__init__'] }}", "{{ self.x }}", "{{ 'x' * 99999999 }}", "{{ range(9**9) }}"],
)
def test_an_injection_that_only_running_shows_fails_the_step_and_reveals_nothing(desk, text):
    desk.write("flow.yaml", step(text))
    said = desk("run", "flow.yaml", within=20)
    assert (said.code, said.out) == (10, ""), said.all
    assert "error:" in said.err
    assert "<class" not in said.all
    assert said.megabytes < LIMIT_MB


@pytest.mark.slow
def test_templates_in_variables_and_answers_are_words(near_desk):
    near_desk.write(
        "flow.yaml", step("{{ who }}") + "outputs: {artifacts: [{path: x.md, from: '{{ last_response }}'}]}\n"
    )
    said = near_desk("run", "flow.yaml", "--var", "who=Ada wrote {{ 7 * 191 }} and {{ ''.__class__ }}.")
    assert said.code == 0, said.all
    shown = near_desk("show", "last", "--prompts").all
    assert "{{ 7 * 191 }} and {{ ''.__class__ }}" in shown
    assert "1337" not in shown + near_desk.read("artifacts/x.md")

"""Forms that files have had for years, and what is made of them."""

import pytest

from weft.core.errors import TemplateError
from weft.spec.conditions import ALWAYS_OPEN, condition
from weft.spec.load import check
from weft.spec.template import evaluate, render

FLOW = """\
version: 1.0
name: old
runtime: {provider: openai}
agents: {a: {prompt: "You answer."}}
pattern: {type: chain, config: {steps: [{agent: a, input: Hello}]}}
"""


@pytest.mark.parametrize("version", ["0", "1", "1.0", '"1.0.0"', '"0.9"'])
def test_a_version_may_be_written_in_any_way(tmp_path, version):
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW.replace("1.0", version))
    assert check(file).errors == ()


@pytest.mark.parametrize("version", ["2.0", '"two"'])
def test_a_version_that_is_not_known_is_refused(tmp_path, version):
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW.replace("1.0", version))
    assert [problem.rule for problem in check(file).errors] == ["version"]


@pytest.mark.parametrize("text", ["else", " ELSE ", "{{ else }}", "{{else}}"])
def test_else_is_else_with_braces_too(text):
    assert condition(text) == ALWAYS_OPEN


def test_files_named_in_a_workflow_may_stand_anywhere_in_the_working_folder(tmp_path, monkeypatch):
    for folder in ("flows", "agents"):
        (tmp_path / folder).mkdir()
    (tmp_path / "agents" / "one.yaml").write_text("agents: {one: {prompt: You write.}}\n")
    file = tmp_path / "flows" / "flow.yaml"
    file.write_text(FLOW.replace('{prompt: "You answer."}', "{$ref: ../agents/one.yaml}"))
    monkeypatch.chdir(tmp_path)
    assert check(file).errors == ()
    monkeypatch.chdir(tmp_path / "flows")
    (problem,) = check(file).errors
    assert "leaves the project folder" in problem.message
    assert "weft.toml" in problem.fix


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('steps | selectattr("ok") | map(attribute="n") | list', [1]),
        ('steps | rejectattr("ok") | list | length', 1),
        ('steps | selectattr("n", "gt", 1) | map(attribute="n") | first', 2),
        ("[3, 1] | min + [3, 1] | max", 4),
        ('"abc" | reverse', "cba"),
        ('{"b": 1, "a": 2} | dictsort | first | first', "a"),
        ('{"b": 1} | items | list', [("b", 1)]),
        ('"one two" | wordcount', 2),
        ("[1, 2, 3] | batch(2) | list", [[1, 2], [3]]),
        ('"a b&c" | urlencode', "a%20b%26c"),
        ("-2 | abs", 2),
        ('"tIDES" | capitalize', "Tides"),
    ],
)
def test_filters_that_people_know(expression, value):
    assert evaluate(expression, {"steps": [{"n": 1, "ok": True}, {"n": 2, "ok": False}]}) == value


def test_what_is_escaped_is_plain_text_afterwards():
    assert render('{{ ("<b>" | e) ~ "<i>" }}', {}) == "&lt;b&gt;<i>"
    groups = '{% for ok, of in steps | groupby("ok") %}{{ ok }}:{{ of | length }} {% endfor %}'
    assert render(groups, {"steps": [{"ok": True}, {"ok": True}]}) == "True:2 "


@pytest.mark.parametrize(
    "template", ['{{ [1] | batch(10 ** 8, "x") | list }}', '{{ [""] | map("attr", "__class__") }}']
)
def test_new_filters_open_no_door(template):
    with pytest.raises(TemplateError):
        render(template, {})


def test_mounts_are_of_no_use_and_keep_no_file_from_running(tmp_path):
    flow = tmp_path / "flow.yaml"
    flow.write_text(
        "version: 0\nname: m\nruntime: {provider: openai}\nenv: {mounts: {data: ./data}}\nagents: {a: {prompt: hi}}\n"
        "pattern: {type: chain, config: {steps: [{agent: a}]}}\n"
    )
    report = check(flow)
    assert [(problem.rule, problem.severity, problem.place.pointer) for problem in report.problems] == [
        ("mounts", "warning", "/env/mounts/data")
    ]
    assert report.unsupported == ()

"""Schedules and triggers in a file: what is found wrong with them, and where."""

import pytest

from weft.spec.load import check_text

DOCUMENT = """\
version: 1
name: digest
runtime: {provider: offline, model_id: extract}
agents: {writer: {prompt: Write.}}
inputs: {values: {path: x}}
pattern: {type: chain, config: {steps: [{agent: writer, input: "{{ path }}"}]}}
"""


def found(written, head=DOCUMENT):
    problems = check_text(head + written, "a.yaml").problems
    assert all(problem.place.line and problem.fix for problem in problems)
    return [(problem.rule, problem.place.pointer) for problem in problems]


@pytest.mark.parametrize(
    "written",
    [
        'schedule: {cron: "0 8 * * 1-5", timezone: Europe/Berlin, overlap: buffer, catch_up: 2h, jitter: 300}',
        "schedule: [{name: a, every: 90}, {name: b, every: 1h30m, inputs: {path: y}}]",
        "triggers: {folder: inbox, pattern: '*.txt', settle: 0, input: path}",
        "triggers: [{name: a, after: other}, {name: b, after: other, status: [failed, cancelled]}]",
    ],
)
def test_what_may_be_said(written):
    assert found(written) == []


@pytest.mark.parametrize(
    ("written", "rule", "pointer"),
    [
        ('schedule: {cron: "61 8 * * *"}', "wrong-value", "/schedule/cron"),
        ('schedule: {cron: "0 0 30 2 *"}', "wrong-value", "/schedule/cron"),
        ("schedule: {every: soon}", "wrong-value", "/schedule/every"),
        ("schedule: {every: 0}", "wrong-value", "/schedule/every"),
        ("schedule: {every: 1h, jitter: 2d}", "wrong-value", "/schedule/jitter"),
        ('schedule: {every: 1h, cron: "* * * * *"}', "wrong-value", "/schedule/every"),
        ("schedule: {timezone: UTC}", "missing-key", "/schedule"),
        ("schedule: [{every: 1h}, {name: b, every: 2h}]", "missing-key", "/schedule/0"),
        ("schedule: [{name: b, every: 1h}, {name: b, every: 2h}]", "duplicate-id", "/schedule/1/name"),
        ("schedule: {every: 1h, inputs: {pth: x}}", "undeclared-input", "/schedule/inputs/pth"),
        ("triggers: {folder: in, input: file}", "undeclared-input", "/triggers/input"),
        ("triggers: {folder: in, inputs: {path: x}}", "wrong-value", "/triggers/inputs/path"),
        ("triggers: {folder: in, settle: 2h}", "wrong-value", "/triggers/settle"),
    ],
)
def test_what_cannot_be_has_a_place_and_a_way_out(written, rule, pointer):
    assert found(written) == [(rule, pointer)]


@pytest.mark.parametrize(
    ("written", "pointer", "near"),
    [
        ("schedule: {evry: 1h}", "/schedule/evry", "'every'"),
        ("schedule: {every: 1h, overlap: skp}", "/schedule/overlap", "'skip'"),
        ('schedule: {cron: "0 8 * * *", timezone: Europe/Berln}', "/schedule/timezone", "'Europe/Berlin'"),
        ("triggers: {after: x, status: complete}", "/triggers/status", "'completed'"),
        ("triggers: {folder: in, patern: x}", "/triggers/patern", "'pattern'"),
        ("schedules: {every: 1h}", "/schedules", "'schedule'"),
    ],
)
def test_a_slip_of_the_pen_is_told_apart(written, pointer, near):
    problem = next(one for one in check_text(DOCUMENT + written, "a.yaml").problems if one.place.pointer == pointer)
    assert (problem.place.pointer, f"did you mean {near}?" in problem.fix) == (pointer, True)


def test_a_workflow_whose_name_fits_no_automation_has_to_give_one():
    head = DOCUMENT.replace("name: digest", "name: The morning digest")
    assert found("schedule: {every: 1h}", head) == [("missing-key", "/schedule")]
    assert found("schedule: {name: d, every: 1h}", head) == []


def test_an_old_version_is_warned_of_the_newer_key():
    head = DOCUMENT.replace("version: 1", "version: 0")
    assert ("newer-key", "/schedule") in found("schedule: {every: 1h}", head)

"""What `weft validate` finds in patterns of many agents."""

import pytest

from weft.spec.load import check_text, load_text

HEAD = """\
version: 1
name: group
runtime: {provider: openai}
agents: {a: {prompt: A}, b: {prompt: B}}
"""
GOOD = [
    "{type: vote, config: {agents: [a, {agent: b, count: 3}], rule: quorum, quorum: 3}}",
    "{type: debate, config: {agents: [{agent: a, count: 2}]}}",
    "{type: handoff, config: {start: a, agents: {a: {to: [b]}, b: {}}}}",
    "{type: blackboard, config: {sections: {x: {}}, agents: [{agent: a, when: board.x.version == 0}], until: iteration > 1}}",
    "{type: gossip, config: {agents: [a, b], believe: 'what {{ item.member }} thinks'}}",
    "{type: consensus, config: {agents: [a, b, {agent: a, id: c}], quorum: 2}}",
]


def found(pattern, more=""):
    report = check_text(f"{HEAD}pattern: {pattern}\n{more}", "flow.yaml")
    return {(problem.rule, problem.place.pointer.removeprefix("/pattern/config")) for problem in report.problems}


@pytest.mark.parametrize("pattern", GOOD)
def test_what_is_right_is_not_complained_of(pattern):
    assert found(pattern) == set()


@pytest.mark.parametrize("pattern", GOOD)
def test_in_a_file_of_version_0_the_pattern_is_a_newer_key(pattern):
    report = check_text(f"{HEAD.replace('version: 1', 'version: 0')}pattern: {pattern}\n", "flow.yaml")
    assert {problem.rule for problem in report.problems} == {"newer-key"}
    assert report.workflow is not None


@pytest.mark.parametrize(
    ("pattern", "problems"),
    [
        ("{type: vote, config: {agents: [a, x]}}", {("unknown-agent", "/agents/1")}),
        ("{type: vote, config: {agents: [{agent: x}]}}", {("unknown-agent", "/agents/0/agent")}),
        ("{type: vote, config: {agents: [a, {agent: b, id: a}]}}", {("duplicate-id", "/agents/1")}),
        ("{type: vote, config: {agents: [a], rule: judge}}", {("judge", "/rule")}),
        ("{type: vote, config: {agents: [a], judge: {agent: x}}}", {("unknown-agent", "/judge/agent")}),
        ("{type: vote, config: {agents: [a], quorum: 1}}", {("quorum", "/quorum")}),
        ("{type: vote, config: {agents: [a], rule: quorum, quorum: 2}}", {("quorum", "/quorum")}),
        ("{type: vote, config: {agents: [a], input: '{{ winner }}'}}", {("undeclared-name", "/input")}),
        ("{type: vote, config: {agents: [a], input: '{{ votes }}'}}", {("not-available", "/input")}),
        ("{type: vote, config: {agents: [{agent: a, input: '{{ board }}'}]}}", {("not-available", "/agents/0/input")}),
        ("{type: debate, config: {agents: [a]}}", {("members", "/agents")}),
        (
            "{type: debate, config: {agents: [a, b], judge: {agent: a, input: '{{ votes }}'}}}",
            {("not-available", "/judge/input")},
        ),
        ("{type: handoff, config: {start: x, agents: {a: {}}}}", {("unknown-agent", "/start")}),
        (
            "{type: handoff, config: {start: a, agents: {a: {to: [a, x]}}}}",
            {("handoff", "/agents/a/to/0"), ("unknown-agent", "/agents/a/to/1")},
        ),
        ("{type: handoff, config: {start: a, agents: {a: {}, x: {}}}}", {("unknown-agent", "/agents/x")}),
        (
            "{type: blackboard, config: {sections: {x: {}}, agents: [{agent: a, writes: [y]}, {agent: a}]}}",
            {("unknown-section", "/agents/0/writes/0"), ("duplicate-id", "/agents/1")},
        ),
        (
            "{type: blackboard, config: {sections: {x: {}}, agents: [{agent: a, when: 'tally > 1'}]}}",
            {("not-available", "/agents/0/when")},
        ),
        (
            "{type: blackboard, config: {sections: {x: {}}, agents: [{agent: a}], until: '1 +'}}",
            {("template", "/until")},
        ),
        ("{type: gossip, config: {agents: [a], facts: ['{{ rounds }}']}}", {("not-available", "/facts/0")}),
        ("{type: consensus, config: {agents: [a, b], quorum: 1}}", {("quorum", "/quorum")}),
        ("{type: consensus, config: {agents: [a, b], quorum: 3}}", {("quorum", "/quorum")}),
    ],
)
def test_what_is_wrong_is_named_at_its_place(pattern, problems):
    assert found(pattern) == problems


def test_a_pattern_that_stands_as_a_step_is_looked_at_too():
    nested = (
        "{type: chain, config: {steps: [{agent: a}, {pattern: {type: vote, config: {agents: [a, x], rule: judge}}}]}}"
    )
    spot = "/steps/1/pattern/config"
    assert found(nested) == {("unknown-agent", f"{spot}/agents/1"), ("judge", f"{spot}/rule")}


def test_artifacts_see_the_names_of_the_pattern():
    artifact = (
        "outputs: {artifacts: [{path: x, from: '{{ votes }} {{ winner }} {{ last_response }} {{ transcript }}'}]}"
    )
    assert found(GOOD[0], artifact) == {("not-available", "/outputs/artifacts/0/from")}


def test_numbers_out_of_bounds_are_refused():
    for wrong in ("{agent: a, count: 0}", "{agent: a, count: 10001}", "{agent: a, weight: 0}", "{agent: a, counts: 2}"):
        assert (
            check_text(f"{HEAD}pattern: {{type: vote, config: {{agents: [{wrong}]}}}}\n", "flow.yaml").workflow is None
        )


def test_members_have_names_and_weights():
    workflow = load_text(f"{HEAD}pattern: {GOOD[5]}\n", "flow.yaml")
    assert [entry if isinstance(entry, str) else entry.name for entry in workflow.pattern.config.agents] == [
        "a",
        "b",
        "c",
    ]

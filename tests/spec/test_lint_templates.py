import pytest

from tests.spec.documents import FILES, MINIMAL, tasks
from weft.spec.load import check, check_text


def chain(*inputs):
    head = MINIMAL[: MINIMAL.index("      - agent")].replace("agents:", "inputs: {required: {topic: string}}\nagents:")
    return head + "".join(f"      - agent: writer\n        input: {text!r}\n" for text in inputs)


def found(text):
    return [(p.severity, p.rule, p.place.pointer) for p in check_text(text, "a.yaml").problems]


def rules(text):
    return [(p.severity, p.rule) for p in check_text(text, "a.yaml").problems]


@pytest.mark.parametrize(
    "text",
    [
        "{{ topic }} {{ name }} {{ runtime.provider }}",
        "{{ steps[0].response }} {{ steps[-1]['response'] }} {{ last_response }}",
        "{% for s in steps %}{{ s.response }}{% endfor %}",
        "{% set x = 1 %}{{ x }}",
        "{{ steps | length }} {{ steps[0].response | default('-') }}",
        "{% for key in range(3) %}{{ key }}{% endfor %}",
    ],
)
def test_what_is_there_raises_no_problem(text):
    assert found(chain("{{ topic }}", text)) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{{ steps[1].response }}", "later-step"),
        ("{{ steps[2].response }}", "later-step"),
        ("{{ steps[-2].response }}", "later-step"),
        ("{{ steps.first.response }}", "unknown-step"),
        ("{{ tasks.a.response }}", "not-available"),
        ("{{ TRACE }}", "not-available"),
        ("{{ hitl_response }}", "not-available"),
        ("{{ topic", "template"),
        ("{% if %}", "template"),
        ("{% macro f() %}{% endmacro %}", "template"),
        ("{% include 'x' %}", "template"),
        ("{{ topic | lowr }}", "template"),
        ("{{ topic is greet }}", "template"),
        ("{{ ''.__class__ }}", "template"),
        ("{% for loop in [1] %}{% endfor %}", "template"),
    ],
)
def test_references_that_lead_nowhere_are_errors(text, rule):
    assert found(chain("{{ topic }}", text)) == [("error", rule, "/pattern/config/steps/1/input")]


def test_the_first_step_has_no_last_response():
    assert rules(chain("{{ last_response }}")) == [("error", "not-available")]


def test_a_filter_that_is_not_there_is_named_with_its_nearest_neighbour():
    (problem,) = check_text(chain("{{ topic | lowr }}"), "a.yaml").problems
    assert (problem.message, problem.fix) == ("there is no filter 'lowr'", "did you mean 'lower'?")


def test_a_prompt_that_is_no_template_is_sent_as_it_stands():
    text = chain("{{ topic }}").replace("prompt:", "prompt: '{{ topic | lowr }}' #")
    assert [problem for problem in check_text(text, "a.yaml").problems if problem.severity == "error"] == []


def test_an_undeclared_name_is_a_warning_that_says_how_to_mend_it():
    problem = check_text(chain("{{ topik }}"), "a.yaml").problems[0]
    assert (problem.severity, problem.rule) == ("warning", "undeclared-name")
    assert "--var" in problem.message
    assert "did you mean 'topic'?" in problem.fix


def test_a_fact_that_steps_do_not_have_is_a_warning():
    assert rules(chain("x", "{{ steps[0].respnse }}")) == [("warning", "unknown-fact")]


def test_step_variables_are_visible_in_their_own_step_only():
    text = chain("{{ audience }}", "{{ audience }}").replace(
        "'{{ audience }}'\n", "'{{ audience }}'\n        vars: {audience: x}\n", 1
    )
    assert found(text) == [("warning", "undeclared-name", "/pattern/config/steps/1/input")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ tasks.a.response }}", []),
        ("{{ tasks['c'].response }}", [("error", "later-task")]),
        ("{{ tasks.b.response }}", [("error", "later-task")]),
        ("{{ tasks.nope.response }}", [("error", "unknown-task")]),
        ("{{ tasks.values() | list | length }}", []),
    ],
)
def test_tasks_may_read_only_earlier_layers(text, expected):
    document = tasks(
        f'- {{id: a, agent: writer}}\n- {{id: b, agent: writer, deps: [a], input: "{text}"}}\n'
        "- {id: c, agent: writer, deps: [b]}"
    )
    assert rules(document) == expected


def test_a_reduce_step_sees_every_branch_and_nothing_else():
    text = (FILES / "parallel.yaml").read_text()
    assert rules(text.replace("branches.con.response", "branches.cno.response")) == [("error", "unknown-branch")]
    assert rules(text.replace("{{ branches.con.response }}", "{{ steps[0].response }}")) == [("error", "not-available")]


def test_a_branch_sees_its_own_steps_only():
    text = (FILES / "parallel.yaml").read_text()
    assert rules(text.replace("{{ steps[0].response }}", "{{ branches.con.response }}")) == [("error", "not-available")]


def test_artifacts_see_the_whole_pattern():
    text = (FILES / "workflow.yaml").read_text()
    assert rules(text.replace("tasks.summary.response", "tasks.sumary.response")) == [("error", "unknown-task")]


def test_a_prompt_with_undeclared_names_is_sent_as_it_stands_and_says_so():
    text = MINIMAL.replace("You write.", "'You write {{ something }}.'")
    assert found(text) == [("warning", "verbatim-prompt", "/agents/writer/prompt")]


def test_templates_in_direct_tool_calls_are_checked_too():
    text = MINIMAL.replace("version: 0", "version: 1").replace(
        "- agent: writer\n        input: Hello", "- tool: calculator\n        args: {expression: ['{{ steps[4] }}']}"
    )
    assert found(text) == [("error", "later-step", "/pattern/config/steps/0/args/expression/0")]


def test_the_samples_are_free_of_errors():
    for path in FILES.glob("*.yaml"):
        assert check(path).errors == ()


NESTED = """\
version: 1
name: nested
runtime: {provider: offline}
inputs: {values: {topic: bees}}
agents: {a: {prompt: Work.}}
pattern:
  type: chain
  config:
    steps:
      - {set: {mood: "'dry'"}}
      - id: inner
        pattern: %s
"""


@pytest.mark.parametrize(
    ("pattern", "rule", "pointer"),
    [
        ('{type: routing, config: {router: {agent: a, input: "{{ topik }}"}, routes: {x: {then: [{agent: a}]}}}}', "undeclared-name", "router/input"),
        ('{type: routing, config: {router: {agent: a}, routes: {x: {then: [{agent: a, input: "{{ nodse }}"}]}}}}', "undeclared-name", "routes/x/then/0/input"),
        ('{type: chain, config: {steps: [{agent: a, input: "{{ steps[1].response }}"}, {agent: a}]}}', "later-step", "steps/0/input"),
        ('{type: graph, config: {nodes: {n: {agent: a}}, edges: [{from: n, choose: [{when: "nodes.k.response", to: n}]}]}}', "unknown-node", "edges/0/choose/0/when"),
        ('{type: evaluator_optimizer, config: {producer: a, evaluator: {agent: a, input: "{{ drfat }}"}, accept: {min_score: 1}}}', "undeclared-name", "evaluator/input"),
        ('{type: orchestrator_workers, config: {orchestrator: {agent: a, input: "{{ goal }}"}, worker_template: {agent: a}}}', "undeclared-name", "orchestrator/input"),
        ('{type: vote, config: {agents: [{agent: a, count: 3}], choices: [x, y], input: "{{ topci }}"}}', "undeclared-name", "input"),
        ('{type: chain, config: {steps: [{pattern: {type: routing, config: {router: {agent: a, input: "{{ tpc }}"}, routes: {x: {then: [{agent: a}]}}}}}]}}', "undeclared-name", "steps/0/pattern/config/router/input"),
        ('{type: chain, config: {steps: [{agent: a, input: "{{ chosen_route }}"}]}}', "undeclared-name", "steps/0/input"),
    ],
)  # fmt: skip
def test_templates_of_a_nested_pattern_are_checked_for_their_names(pattern, rule, pointer):
    found = check_text(NESTED % pattern, "a.yaml").problems
    assert [(one.rule, one.place.pointer) for one in found] == [
        (rule, f"/pattern/config/steps/1/pattern/config/{pointer}")
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        '{type: routing, config: {router: {agent: a, input: "{{ mood }} {{ topic }} {{ steps[0] }}"}, routes: {x: {then: [{agent: a, input: "{{ chosen_route }}"}]}}}}',
        '{type: evaluator_optimizer, config: {producer: a, evaluator: {agent: a, input: "{{ draft }} {{ mood }}"}, accept: {min_score: 1}}}',
        '{type: chain, config: {steps: [{agent: a}, {map: {items: "[1]", do: {agent: a, input: "{{ item }} {{ steps[0].response }}"}}}]}}',
        '{type: orchestrator_workers, config: {orchestrator: {agent: a}, worker_template: {agent: a}, writeup: {agent: a, input: "{{ workers }} {{ last_response }}"}}}',
    ],
)
def test_a_nested_pattern_sees_its_own_names_and_what_is_around_it(pattern):
    assert check_text(NESTED % pattern, "a.yaml").problems == ()

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

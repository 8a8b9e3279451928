import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import TemplateError
from weft.spec.template import evaluate, is_template, render, render_value

SCOPE = {
    "topic": "cats",
    "count": 3,
    "flag": True,
    "words": ["b", "a"],
    "record": {"title": "T", "items": [1], "nested": {"x": None}},
    "steps": [{"response": "one", "index": 0, "agent": "a"}],
    "tasks": {"first-one": {"response": "f"}, "values": {"response": "v"}},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{ topic }} {{ count + 1 }}", "cats 4"),
        ("{{ steps[0].response }}{{ steps[-1].agent }}", "onea"),
        ("{{ tasks['first-one'].response }}", "f"),
        ("{{ tasks.values.response }}", "v"),
        ("{{ record.items }}", "[1]"),
        ("{{ record }}", '{"title": "T", "items": [1], "nested": {"x": null}}'),
        ("{% for w in words | sort %}{{ loop.index }}{{ w }}{% endfor %}", "1a2b"),
        ("{% for k, v in record.nested.items() %}{{ k }}{% endfor %}", "x"),
        ("{% if flag and topic == 'cats' %}y{% else %}n{% endif %}", "y"),
        ("{{ missing | default('d') }}", "d"),
        ("{{ missing is defined }}", "False"),
        ("{{ topic.upper() }} {{ topic[1:3] }}", "CATS at"),
        ("{{ 'a' ~ 1 ~ topic }}", "a1cats"),
        ("{# note #}x", "x"),
        ("{{ words | join(', ') }}", "b, a"),
        ("{{ 'x\n' }}", "x\n"),
        ("keep\n{{ topic }}\n", "keep\ncats\n"),
    ],
)
def test_templates_are_filled_from_the_scope(template, text):
    assert render(template, SCOPE) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("('x' * 150) | truncate | length", "100"),
        ("'abcdef' | truncate(5)", "ab..."),
        ("'abc' | truncate(n=5)", "abc"),
        ("record.nested | tojson", '{"x": null}'),
        ("'é<&' | tojson", '"é<&"'),
        ("'hello world' | title", "Hello World"),
        ("'id: 42' | regex_search('id: ([0-9]+)')", "42"),
        ("'id: 42' | regex_search('[0-9]+')", "42"),
        ("'none' | regex_search('[0-9]+')", ""),
        ("'a-b' | replace('-', '+')", "a+b"),
        ("'A' | lower ~ 'b' | upper", "aB"),
        ("[1, 2] | length", "2"),
        ("2.567 | round(1)", "2.6"),
        ("'3' | int + 1", "4"),
        ("'3.5' | float", "3.5"),
        ("'ab' | list", '["a", "b"]'),
        ("[3, 1] | sort | first", "1"),
        ("[3, 1] | last", "1"),
        ("steps | map(attribute='agent') | list | tojson", '["a"]'),
        ("['a', ''] | select | list | length", "1"),
        ("['a', ''] | reject | list | length", "1"),
        ("[1, 1, 2] | unique | list | length", "2"),
        ("'  a ' | trim", "a"),
        ("'a\nb' | indent(2)", "a\n  b"),
        ("'aa bb' | wordwrap(2)", "aa\nbb"),
        ("[1, 2] | sum", "3"),
        (r"'from 42' | regex_search('(\d+)')", "42"),
        ("'yes' if topic contains 'at' else 'no'", "yes"),
        ("'yes' if words not contains 'z' else 'no'", "yes"),
        ("not topic contains 'x'", "True"),
    ],
)
def test_the_documented_filters_and_operators_work(expression, text):
    assert render("{{ " + expression + " }}", SCOPE) == text


ATTACKS = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ record.__init__.__globals__ }}",
    "{{ words.append(1) }}",
    "{{ record.update({'x': 1}) }}",
    "{{ record.pop('title') }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '%s' | format(1) }}",
    "{{ words | attr('__class__') }}",
    "{{ words | map('attr', '__class__') | list }}",
    "{{ words | map(attribute='__class__') | list }}",
    "{{ words | sort(attribute='__class__') }}",
    "{{ cycler.__init__ }}",
    "{{ lipsum() }}",
    "{{ namespace(x=1) }}",
    "{{ self.__init__ }}",
    "{{ self }}",
    "{{ range }}",
    "{{ topic.upper }}",
    "{{ range.__class__ }}",
    "{{ range.__call__(3) }}",
    "{% for x in words %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in words %}{{ loop._iterator }}{% endfor %}",
    "{% for x in words %}{{ loop }}{% endfor %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% macro f() %}{% endmacro %}",
    "{% block b %}{% endblock %}",
    "{% set x %}a{% endset %}",
    "{% filter upper %}a{% endfilter %}",
    "{% autoescape true %}a{% endautoescape %}",
    "{% for x in words recursive %}{{ loop(words) }}{% endfor %}",
    "{% call f() %}{% endcall %}",
    "{% do 1 %}",
    "{{ debug() }}",
    "{{ get_flashed_messages() }}",
    "{{ config }}",
]


@pytest.mark.parametrize("template", ATTACKS)
def test_a_template_reaches_nothing_but_data(template):
    before = repr(SCOPE)
    with pytest.raises(TemplateError) as caught:
        render(template, SCOPE)
    assert "object at 0x" not in caught.value.message
    assert repr(SCOPE) == before


BOMBS = [
    "{{ 'a' * 100000000 }}",
    "{{ 100000000 * 'a' }}",
    "{{ [0] * 100000000 }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 2 ** 100000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ range(1000000000) | list }}",
    "{{ range(100000000000) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
    "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "{{ ('b' * 900000) | join(range(10000)) }}",
    "{{ range(10000) | join('b' * 900000) }}",
    "{{ ('b' * 900000).join(['a'] * 10000) }}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{{ range(9999) | list | length }}{% endfor %}",
    "{% for a in range(9999) %}{{ range(9999) | map('upper') | list | length }}{% endfor %}",
    "{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}",
    "{% set a = 'x' * 100000 %}" + "".join("{% set a = a ~ a %}" for _ in range(20)) + "{{ a }}",
    "{% set a = 'x' * 100000 %}" + "".join("{% set a = a + a %}" for _ in range(20)) + "{{ a | length }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "+".join(["1"] * 20000) + " }}",
    "{{ " + "[" * 200 + "]" * 200 + " }}",
    "{{ topic }}" * 20000,
]


@pytest.mark.parametrize("template", BOMBS, ids=lambda text: text[:40])
@pytest.mark.slow
def test_a_small_template_is_never_a_lot_of_work(template):
    started = time.process_time()
    with pytest.raises(TemplateError):
        render(template, SCOPE)
    assert time.process_time() - started < 5


def test_text_from_the_scope_is_never_a_template():
    assert render("{{ a }}", {"a": "{{ topic }}{% for %}"}) == "{{ topic }}{% for %}"


def test_output_is_bounded():
    with pytest.raises(TemplateError, match="longer than"):
        render("{{ a }}{{ a }}", {"a": "x" * 600_000})
    with pytest.raises(TemplateError, match="longer than"):
        render("x" * 1_000_001, {})


def test_control_characters_go_and_text_is_normalised():
    assert render("a\x00b\x1bc\td\ne {{ x }}", {"x": "e\u0301\x07\x9f"}) == "abc\td\ne é"


@pytest.mark.parametrize(
    ("template", "said", "fix"),
    [
        ("{{ topik }}", "'topik' is not defined", "did you mean 'topic'?"),
        ("{{ zzz }}", "'zzz' is not defined", "available: count, flag, record, steps, tasks, topic, words"),
        ("{{ record.titel }}", "'titel' is not there", "did you mean 'title'?"),
        ("{{ record.titel.x }}", "'titel' is not there", "did you mean 'title'?"),
        ("{{ tasks.second.response }}", "'second' is not there", "available: first-one, values"),
        ("{{ steps[3].response }}", "there is no item 3: the list has 1", None),
        ("{{ topic", "not valid", None),
        ("{{ topic | nope }}", "nope", None),
        ("{{ 1 / 0 }}", "division by zero", None),
        ("{{ topic + 1 }}", "failed", None),
        ("{{ zzz.a.b }}", "'zzz' is not defined", None),
        ("{% if zzz %}{% endif %}", "'zzz' is not defined", None),
        ("{{ steps[zzz].response }}", "'zzz' is not defined", None),
        ("{{ steps[0:zzz] }}", "'zzz' is not defined", None),
        ("{{ topic[zzz] }}", "'zzz' is not defined", None),
        ("{{ range(zzz) }}", "'zzz' is not defined", None),
    ],
)
def test_a_failure_names_what_is_missing_and_what_there_is(template, said, fix):
    with pytest.raises(TemplateError) as caught:
        render(template, SCOPE)
    assert said in caught.value.message
    assert caught.value.fix
    if fix:
        assert caught.value.fix == fix


def test_a_failure_never_shows_values():
    with pytest.raises(TemplateError) as caught:
        render("{{ secret.x }} {{ secret + 1 }}", {"secret": "hunter2"})
    assert "hunter2" not in caught.value.message + caught.value.fix


@pytest.mark.parametrize("expression", ["record", "record['nested']", "steps[0]", "words", "{{ record.items }}"])
def test_a_plain_reference_gives_the_very_object(expression):
    objects = [SCOPE["record"], SCOPE["record"]["nested"], SCOPE["steps"][0], SCOPE["words"], SCOPE["record"]["items"]]
    assert any(evaluate(expression, SCOPE) is each for each in objects)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count > 2 and topic == 'cats'", True),
        ("{{ topic contains 'at' }}", True),
        ("steps | map(attribute='index') | list", [0]),
        ("steps | map(attribute='tokens', default=0) | sum", 0),
        ("range(3)", [0, 1, 2]),
        ("words | map('upper')", ["B", "A"]),
        ("record.keys()", ["title", "items", "nested"]),
        ("{'a': count}", {"a": 3}),
        ("record.nested.x", None),
        ("(1, 2)", [1, 2]),
    ],
)
def test_expressions_give_native_values(expression, value):
    result = evaluate(expression, SCOPE)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    "expression", ["nope", "record.nope", "1 +", "topic.upper", "", "a b", "''.__class__", "9 ** 99999"]
)
def test_an_expression_that_has_no_value_fails(expression):
    with pytest.raises(TemplateError):
        evaluate(expression, SCOPE)


def test_values_inside_json_keep_their_types():
    value = {"n": "{{ count }}", "text": "n={{ count }}", "list": ["{{ words }}", 1, None], "plain": "{not}"}
    assert render_value(value, SCOPE) == {"n": 3, "text": "n=3", "list": [["b", "a"], 1, None], "plain": "{not}"}


def test_two_expressions_side_by_side_are_text():
    assert render_value("{{ count }}{{ count }}", SCOPE) == "33"


@given(st.text(alphabet=st.sampled_from("{}%#|.[]()'\"abcx_ 019~*+-,:=\n"), max_size=60))
def test_any_text_renders_or_fails_as_a_template(text):
    try:
        assert isinstance(render(text, SCOPE), str)
    except TemplateError as error:
        assert error.message


@given(st.text(max_size=200).filter(lambda text: not is_template(text)))
def test_text_without_marks_stays_itself_up_to_normalisation(text):
    once = render(text, {})
    assert render(once, {}) == once


def test_hot_expressions_are_fast():
    evaluate("tasks['first-one'].response", SCOPE)
    started = time.process_time()
    for _ in range(10_000):
        evaluate("tasks['first-one'].response", SCOPE)
    assert time.process_time() - started < 0.5

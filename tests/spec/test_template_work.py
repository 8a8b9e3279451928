"""A small template must not become a lot of work, whatever it does with the little that it has."""

import time

import pytest

from weft.core.errors import TemplateError
from weft.spec.template import evaluate, parse, render

ITSELF = "{% set a = [0, 0] %}" + "{% set a = [a, a] %}" * 40
TWICE = "{% set a = [0, 0] %}{% set b = [0, 0] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40
LONG = "a" * 1_000_000
MANY = {"tasks": {f"t{n}": {"response": "word " * 20} for n in range(1000)}}


@pytest.mark.parametrize(
    "template",
    [
        ITSELF + "{{ a }}",
        ITSELF + "{{ a | string }}",
        ITSELF + "{{ a | truncate(5) }}",
        ITSELF + "{{ a ~ 'x' }}",
        ITSELF + "{{ ','.join(a) }}",
        TWICE + "{{ a == b }}",
        TWICE + "{{ a in [b] }}",
        TWICE + "{{ [a, b] | sort | length }}",
        "{% set a = {'k': 0} %}" + "{% set a = {'x': a, 'y': a} %}" * 40 + "{{ a | tojson }}",
        "{% set a = [0] %}" + "{% set a = [a] + [a] %}" * 40 + "{{ a }}",
        "{% set a = [0] %}" + "{% set a = [a] * 1000 %}" * 4 + "{{ a }}",
        "{% set a = [0] %}" + "{% set a = [1] | batch(1000, a) | list %}" * 6 + "{{ a }}",
        "{{ ([long] * 1000) | tojson }}",
        "{{ ([long] * 1000) ~ '' }}",
        "{{ ([[1] * 1000] * 10000) | sum(start=[]) | length }}",
        "{{ 1.5 | round(1000000000, 'ceil') }}",
        "{{ long | wordwrap(1) }}",
        pytest.param(
            "{% for i in range(10000) %}{% if 'ab' in long %}y{% endif %}{% endfor %}", marks=pytest.mark.slow
        ),
        pytest.param(
            "{% for i in range(10000) %}{% if long[1:] == '' %}y{% endif %}{% endfor %}", marks=pytest.mark.slow
        ),
    ],
)
def test_what_would_take_for_ever_is_refused(template):
    with pytest.raises(TemplateError, match="too much|too large|at most"):
        render(template, {"long": LONG})


def test_a_computed_value_is_not_larger_than_a_step_may_return():
    with pytest.raises(TemplateError, match="too large"):
        evaluate("[long] * 1000", {"long": LONG})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ [[1, 2], [3]] | sum(start=[]) }}", "[1, 2, 3]"),
        ("{{ [{'n': [1]}, {'n': [2]}] | sum(attribute='n', start=[]) }}", "[1, 2]"),
        ("{{ [1, 2.5] | sum }}", "3.5"),
        ("{{ 2.345 | round(2) }} {{ 1234 | round(-2) }}", "2.35 1200"),
        ("{{ [1, 2, 3] | batch(2, 'x') | list }}", '[[1, 2], [3, "x"]]'),
        ("{{ [a, [a, a]] }} {{ (a, a) }} {{ {'k': a} }}", '[1, [1, 1]] [1, 1] {"k": 1}'),
        ("{% for x, y in [(1, a), (2, a)] %}{{ x }}{{ y }}{% endfor %}", "1121"),
        ("{{ 'b' in ['a', 'b'] and a < 2 and text[:2] == 'ab' and 'c' in text }}", "True"),
        ("{{ [1] + [2] * 2 }} {{ none | string }} {{ 5 | upper }}", "[1, 2, 2] None 5"),
    ],
)
def test_ordinary_templates_mean_what_they_meant(template, text):
    assert render(template, {"a": 1, "text": "abc"}) == text


def test_a_template_over_a_thousand_results_has_room():
    rows = render("{% for id, task in tasks.items() %}{{ [id, task] | tojson }}\n{% endfor %}", MANY)
    assert rows.count("\n") == 1000
    assert len(evaluate("[tasks.values() | list, tasks] * 3", MANY)) == 6


def test_what_is_no_pattern_is_refused_before_a_template_is_filled():
    for template in ("{{ x | search('(a+') }}", "{{ x | regex_search(pattern='(a+') }}"):
        with pytest.raises(TemplateError, match="no regular expression"):
            parse(template)


@pytest.mark.slow
def test_patterns_have_a_bounded_time_in_all_rounds_of_a_template_together():
    began = time.monotonic()
    with pytest.raises(TemplateError, match="takes too long"):
        render("{% for i in range(9999) %}{{ x | search('(a|aa)+$') }}{% endfor %}", {"x": "a" * 26 + "b"})
    assert time.monotonic() - began < 20


def test_ordinary_patterns_find_what_they_are_to_find():
    assert render("{{ x | regex_search('Score: (.*) of') }}", {"x": "line\n" * 10_000 + "Score: 3 of 5"}) == "3"

import pytest

from tests.spec.documents import MINIMAL
from weft.spec.load import check_text


def found(key, schema):
    text = MINIMAL.replace("prompt:", f"{key}: {schema}\n    prompt:", 1)
    return [(problem.severity, problem.rule, problem.place.pointer) for problem in check_text(text, "a.yaml").problems]


@pytest.mark.parametrize(
    "schema",
    [
        "{type: objct}",
        "{type: object, properties: []}",
        "{type: object, properties: {a: {$ref: '#/$defs/nowhere'}}}",
        "{type: object, properties: {a: {$ref: 'https://example.org/a.json'}}}",
        "{type: array, items: {type: string}}",
        "{properties: {a: {type: string}}}",
    ],
)
def test_an_output_that_no_answer_can_be_held_to_is_an_error(schema):
    assert [one[:2] for one in found("output_schema", schema)] == [("error", "schema")]


@pytest.mark.parametrize("key", ["input_schema", "output_schema"])
def test_schemas_that_hold_what_they_refer_to_are_fine(key):
    schema = "{$id: 'urn:a', type: object, properties: {a: {$ref: '#/$defs/a'}}, $defs: {a: {$ref: '#'}}}"
    assert [one for one in found(key, schema) if one[0] == "error"] == []


def test_an_input_schema_may_be_of_anything_but_must_be_one():
    assert [one for one in found("input_schema", "{type: string}") if one[0] == "error"] == []
    assert "schema" in [one[1] for one in found("input_schema", "{type: text}")]


@pytest.mark.parametrize("key", ["input_schema", "output_schema"])
def test_a_pattern_that_cannot_be_used_is_found_before_a_run(key):
    schema = "{type: object, properties: {a: {type: string, pattern: '^(a+$'}}, patternProperties: {'^(a|b)$': {}}}"
    assert [one[:2] for one in found(key, schema)] == [("error", "schema")]
    schema = schema.replace("(a+", "(a+)+")
    assert found(key, schema) == []
    schema = schema.replace("(a|b)", "(a*|b)*")
    assert found(key, schema) == []
    beside = schema.replace("{type: object,", "{type: object, unevaluatedProperties: false,", 1)
    assert [one[:2] for one in found(key, beside)] == [("error", "schema")]

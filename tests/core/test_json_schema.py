"""Values held to schemas that somebody else wrote: as the standard says, and never for ever."""

import time
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from weft.core.json_schema import check_schema, problems, validator


def bomb(levels, keyword):
    """A schema that asks for the same thing 2 ** `levels` times."""
    defs = {"a0": {"type": "integer"}}
    for level in range(1, levels + 1):
        defs[f"a{level}"] = {keyword: [{"$ref": f"#/$defs/a{level - 1}"}] * 2}
    return {"$defs": defs, "$ref": f"#/$defs/a{levels}"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (bomb(60, "allOf"), 1),
        (bomb(60, "anyOf"), "a"),
        *((bomb(60, "oneOf"), value) for value in (1, "a")),
        ({**bomb(60, "allOf"), "unevaluatedProperties": False}, {"a": 1}),
        ({"$ref": "#"}, 1),
        ({"items": {"enum": [{"a": number} for number in range(5_000)]}}, [{"a": 4_999}] * 5_000),
    ],
)
@pytest.mark.slow
def test_a_schema_that_would_take_for_ever_fits_nothing(schema, value):
    check_schema(schema)
    began = time.monotonic()
    assert problems(validator(schema), value, 1)
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_why_nothing_fits_is_said():
    assert "too many steps" in problems(validator(bomb(60, "allOf")), 1)[0].message
    assert "refers to itself" in problems(validator({"$ref": "#"}), 1)[0].message


def test_many_things_are_compared_at_once():
    items = [{"number": number} for number in range(20_000)]
    held = validator({"uniqueItems": True})
    assert problems(held, items) == []
    assert len(problems(held, [*items, {"number": 7.0}])) == 1
    with pytest.raises(SchemaError):
        check_schema({"required": items})


@pytest.mark.slow
def test_a_large_value_may_take_as_much_as_it_needs():
    row = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"enum": list("abcdefghij")}},
        "required": ["a", "b"],
    }
    schema = {"type": "array", "items": {**row, "additionalProperties": False}}
    assert problems(validator(schema), [{"a": number, "b": "j"} for number in range(50_000)]) == []


ITEM = st.sampled_from(
    [1, 1.0, True, 0, False, None, "1", [1], [True], {"a": 1}, {"a": 1.0}, {"a": True}, [[1.0]], [[1]]]
)


@given(st.lists(ITEM, max_size=4), st.lists(ITEM, min_size=1, max_size=3))
@example([[1], [True], [1]], [1])
def test_what_is_equal_is_so_as_the_standard_says(values, wanted):
    for schema in ({"items": {"enum": wanted}}, {"items": {"const": wanted[0]}}):
        assert (problems(validator(schema), values) == []) == Draft202012Validator(schema).is_valid(values)
    # Each with each other: the library's own `uniqueItems` sorts first, and overlooks equal items that do not then stand side by side.
    twice = any(Draft202012Validator({"const": one}).is_valid(other) for one, other in combinations(values, 2))
    assert (problems(validator({"uniqueItems": True}), values) == []) != twice


@pytest.mark.slow
def test_a_value_that_cannot_be_held_to_a_pattern_in_time_does_not_fit():
    hostile = "a" * 80 + "b"
    for schema, value in (
        ({"pattern": r"(a|aa)+$"}, hostile),
        ({"items": {"pattern": r"(a|aa)+$"}}, [hostile] * 1_000),
        ({"properties": {"a": {"pattern": r"^(a+$"}}}, {}),
        ({"patternProperties": {r"^(a+)+$": True}, "unevaluatedProperties": False}, {hostile: 1}),
        ({"patternProperties": {r"a*a*a*a*a*c$": True}, "unevaluatedProperties": False}, {hostile: 1}),
        ({"patternProperties": {r"a*" * 12 + "c.$": True}}, {"a" * 900 + "c": 1}),
        ({"patternProperties": {r"a*" * 12 + "c.$": True}, "additionalProperties": False}, {"a" * 900 + "c": 1}),
        ({"patternProperties": {r"\s+$": True}, "additionalProperties": False}, {" " * 50_000 + "!": 1}),
    ):
        began = time.monotonic()
        assert "held to" in problems(validator(schema), value)[0].message
        assert time.monotonic() - began < 20


def test_patterns_in_schemas_mean_what_they_mean():
    held = validator(
        {"properties": {"id": {"pattern": "^[A-Z]{2}$"}}, "patternProperties": {"^x-": {"type": "string"}},
         "additionalProperties": False}
    )  # fmt: skip
    assert problems(held, {"id": "AB", "x-a": "b"}) == []
    assert [error.message for error in problems(held, {"id": "ab"})] == ["'ab' does not match '^[A-Z]{2}$'"]
    assert len(problems(held, {"x-a": 1, "y": 2})) == 2


NAMES = st.sampled_from(["a", "ab", "x-a", "b1", ""])
PATTERNS = st.sampled_from(["^a", "b", "^x-", "[0-9]$", "."])
ANY = st.sampled_from([True, False, {"type": "string"}, {"type": "integer"}])
OBJECTS = st.dictionaries(NAMES, st.sampled_from([1, "text", None]), max_size=4)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, ANY, max_size=2),
            "patternProperties": st.dictionaries(PATTERNS, ANY, max_size=2),
            "additionalProperties": ANY,
            "unevaluatedProperties": ANY,
        },
    ),
    OBJECTS,
)
def test_names_are_held_to_patterns_as_the_standard_says(schema, value):
    assert (problems(validator(schema), value) == []) == Draft202012Validator(schema).is_valid(value)

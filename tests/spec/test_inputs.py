import pytest

from tests.spec.documents import MINIMAL
from weft.core.errors import InputError
from weft.spec.inputs import missing_inputs, resolve_inputs
from weft.spec.load import load_text

WORKFLOW = load_text(
    MINIMAL.replace(
        "agents:",
        """\
inputs:
  required:
    topic: string
    words: {type: integer, description: how many, enum: [100, 200]}
  optional:
    ratio: number
    draft: {type: boolean, default: false}
    tags: {type: array, default: [a]}
    extra: object
  values: {tone: calm}
agents:""",
    ),
    "a.yaml",
)
GOOD = {"topic": "cats", "words": "100"}


def test_defaults_and_values_fill_what_is_not_given():
    assert resolve_inputs(WORKFLOW, GOOD).values == {
        "topic": "cats",
        "words": 100,
        "draft": False,
        "tags": ["a"],
        "tone": "calm",
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("words", " 200 ", 200),
        ("ratio", "2.5", 2.5),
        ("ratio", "-3", -3),
        ("ratio", "1e3", 1000.0),
        ("draft", "Yes", True),
        ("draft", "0", False),
        ("tags", '["x", 1]', ["x", 1]),
        ("extra", '{"a": null}', {"a": None}),
        ("topic", "12", "12"),
        ("tone", "wild", "wild"),
        ("tags", ["already", "a list"], ["already", "a list"]),
    ],
)
def test_text_is_read_as_the_declared_type(name, text, value):
    result = resolve_inputs(WORKFLOW, {**GOOD, name: text}).values[name]
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("words", "many", "cannot be read as integer"),
        ("words", "1.5", "cannot be read as integer"),
        ("words", "9" * 5000, "cannot be read as integer"),
        ("words", "300", "must be one of 100, 200"),
        ("words", True, "must be a whole number"),
        ("ratio", "nan", "cannot be read as number"),
        ("ratio", "1e999", "cannot be read as number"),
        ("draft", "perhaps", "cannot be read as boolean"),
        ("tags", "a,b", "cannot be read as array"),
        ("tags", '{"a": 1}', "must be a list"),
        ("tags", "[" * 100_000, "cannot be read as array"),
        ("extra", "[NaN]", "cannot be read as object"),
        ("topic", 5, "must be text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, text, said):
    with pytest.raises(InputError, match=said) as caught:
        resolve_inputs(WORKFLOW, {**GOOD, name: text})
    assert caught.value.fix
    assert len(caught.value.message) < 200


def test_all_problems_come_at_once():
    with pytest.raises(InputError) as caught:
        resolve_inputs(WORKFLOW, {"words": "x", "draft": "x"})
    assert [problem["pointer"] for problem in caught.value.ids["problems"]] == [
        "/inputs/words",
        "/inputs/draft",
        "/inputs/topic",
    ]
    assert "--var topic=" in caught.value.fix


def test_an_undeclared_name_is_passed_on_with_a_warning():
    resolved = resolve_inputs(WORKFLOW, {**GOOD, "topci": "dogs"})
    assert resolved.values["topci"] == "dogs"
    assert [warning.rule for warning in resolved.warnings] == ["undeclared-input"]
    assert "did you mean 'topic'?" in resolved.warnings[0].fix


def test_a_required_input_with_a_default_is_not_missing():
    assert list(missing_inputs(WORKFLOW, {})) == ["topic", "words"]
    assert list(missing_inputs(WORKFLOW, {"topic": "x"})) == ["words"]
    assert missing_inputs(WORKFLOW, {})["words"].description == "how many"

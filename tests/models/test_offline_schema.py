"""How the offline model fills schemas."""

from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, UnexpectedModelBehavior
from tests.examples import examples

from weft.models.offline.brief import read_brief
from weft.models.offline.model import OfflineModel
from weft.models.offline.schema_check import satisfies
from weft.models.offline.schema_fill import Filled, fill_schema

INVOICE = """Extract the invoice.

Number: INV-2024-17
Customer: Acme Robotics Ltd
Contact: billing@acme.example, see https://acme.example/pay.

The total is 1,240.50 EUR and it is due on 3 May 2024. It has not been paid.

Lines:
- 3 motors
- 1 gearbox
"""


class Invoice(BaseModel):
    number: str
    customer: str
    email: str | None = None
    link: str | None = None
    total: float
    due: str = Field(json_schema_extra={"format": "date"})
    paid: bool
    kind: Literal["receipt", "invoice", "quote"]
    lines: list[str]
    discount: float | None = None


EXPECTED = Invoice(
    number="INV-2024-17",
    customer="Acme Robotics Ltd",
    email="billing@acme.example",
    link="https://acme.example/pay",
    total=1240.5,
    due="2024-05-03",
    paid=False,
    kind="invoice",
    lines=["3 motors", "1 gearbox"],
)


def fill(schema: dict[str, Any], text: str, instructions: str = "Fill the form.") -> Filled:
    return fill_schema(schema, read_brief(instructions=instructions, prompt=text))


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize("output", [Invoice, NativeOutput(Invoice), PromptedOutput(Invoice)])
async def test_typed_output_is_filled_from_the_text_in_every_mode(output: Any) -> None:
    result = await Agent(OfflineModel(), output_type=output).run(INVOICE)
    assert result.output == EXPECTED
    assert result.usage.requests == 1


async def test_a_number_that_the_text_does_not_hold_is_not_made_up() -> None:
    class Price(BaseModel):
        price: float

    filled = fill(Price.model_json_schema(), "The house is green and the garden is large.")
    assert not filled.complete
    assert filled.missing == ("/price",)
    with pytest.raises(UnexpectedModelBehavior):
        await Agent(OfflineModel(), output_type=Price).run("What is the price?\n\nThe house is green.")


async def test_a_verdict_scores_and_says_what_is_missing() -> None:
    class Verdict(BaseModel):
        score: int = Field(ge=0, le=10)
        issues: list[str]
        fixes: list[str]

    prompt = "Question: how do retries and timeouts behave?\n\nDraft: Retries back off with jitter."
    agent = Agent(OfflineModel(), output_type=Verdict, instructions="You are a critic. Score the draft from 0 to 10.")
    verdict = (await agent.run(prompt)).output
    assert 0 < verdict.score < 10
    assert any("timeouts" in issue for issue in verdict.issues)
    assert len(verdict.issues) == len(verdict.fixes)


async def test_findings_are_quotations_with_their_source() -> None:
    class Finding(BaseModel):
        claim: str
        quote: str
        source: str | None = None

    class Findings(BaseModel):
        findings: list[Finding]

    text = "=== fleet.md ===\nThe fleet has thirty boats. The fleet sells its catch at dawn. Quotas reduced the fleet by half."
    found = (await Agent(OfflineModel(), output_type=Findings).run("List 2 key facts.\n\n" + text)).output.findings
    assert len(found) == 2
    assert all(finding.quote in text and finding.source == "fleet.md" for finding in found)


def test_rows_become_records() -> None:
    table = "| Name | Age |\n|---|---|\n| Ada | 36 |\n| Alan | 41 |"
    people = {"type": "array", "items": of(name={"type": "string"}, age={"type": "integer"})}
    filled = fill(of(people=people), table)
    assert filled == Filled({"people": [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}]}, complete=True)


def test_references_unions_and_constants_are_followed() -> None:
    schema = {
        "$defs": {"Money": of(amount={"type": "number"}, currency={"enum": ["EUR", "USD"]})},
        **of(
            version={"const": 1},
            price={"anyOf": [{"$ref": "#/$defs/Money"}, {"type": "null"}]},
            weight={"anyOf": [{"type": "number"}, {"type": "null"}]},
        ),
    }
    filled = fill(schema, "The amount is 12.5 USD.")
    assert filled.value["version"] == 1
    assert filled.value["price"] == {"amount": 12.5, "currency": "USD"}
    assert filled.complete


def test_json_in_the_text_is_taken_as_it_is() -> None:
    text = 'The step before said:\n\n{"title": "Altmark", "score": 7, "tags": ["harbour"]}'
    schema = of(score={"type": "integer"}, tags={"type": "array", "items": {"type": "string"}})
    assert fill(schema, text).value["score"] == 7
    assert fill(schema, text).value["tags"] == ["harbour"]


@pytest.mark.parametrize("schema", [of(a={"$ref": "#"}), of(a={"$ref": "#/nowhere"}), {"$ref": "#"}, {"type": "odd"}])
def test_a_schema_that_cannot_be_filled_is_said_to_be_so(schema: dict[str, Any]) -> None:
    assert not fill(schema, "Anything at all.").complete


def test_an_unknown_keyword_is_never_called_satisfied() -> None:
    assert not satisfies("x", {"type": "string", "contentEncoding": "base64"}, {})
    assert not satisfies({}, {"not": {}}, {})


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        ('Answer with {"route": "<name>"}. Routes:\n- billing: invoices\n- tech: bugs', {"route": "billing"}),
        ('Reply in JSON: {"ok": true, "n": 3}', {"ok": False, "n": 2}),
        ('Reply in JSON: {"mood": "calm|angry"}', {"mood": "angry"}),
    ],
)
async def test_json_that_is_asked_for_in_words_is_given(ask: str, expected: Any) -> None:
    result = await Agent(OfflineModel()).run(ask + "\n\nI am angry: 2 invoices are wrong.")
    assert json.loads(result.output) == expected


NAMES = st.sampled_from(
    [
        "name",
        "title",
        "score",
        "total",
        "email",
        "date",
        "items",
        "tags",
        "quote",
        "ok",
        "route",
        "x",
        "count",
        "facts",
        "url",
    ]
)
LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda a, b: {"type": "string", "minLength": a, "maxLength": a + b}, st.integers(0, 30), st.integers(0, 60)
    ),
    st.sampled_from([{"type": "string", "format": f} for f in ("email", "date", "date-time", "uri", "uuid", "odd")]),
    st.just({"type": "string", "pattern": "^[A-Z]{2,}"}),
    st.builds(
        lambda a, b: {"type": "integer", "minimum": a, "maximum": a + b}, st.integers(-50, 50), st.integers(0, 2000)
    ),
    st.builds(lambda a: {"type": "number", "exclusiveMinimum": a, "multipleOf": 0.5}, st.integers(-5, 500)),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"enum": ["red", "green", None, 3]}),
    st.just({"const": {"a": [1]}}),
    st.just({"not": {"type": "string"}}),
)


def _branch(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.builds(
        lambda props, closed, req: {
            "type": "object",
            "properties": props,
            "required": [name for name in props if name in req],
            **({"additionalProperties": False} if closed else {}),
        },
        st.dictionaries(NAMES, inner, max_size=4),
        st.booleans(),
        st.sets(NAMES),
    )
    arrays = st.builds(
        lambda items, least, unique: (
            {"type": "array", "items": items, "minItems": least, "maxItems": least + 3}
            | ({"uniqueItems": True} if unique else {})
        ),
        inner,
        st.integers(0, 4),
        st.booleans(),
    )
    unions = st.builds(
        lambda key, options: {key: options},
        st.sampled_from(["anyOf", "oneOf", "allOf"]),
        st.lists(inner, min_size=1, max_size=3),
    )
    return st.one_of(objects, arrays, unions)


SCHEMAS = st.recursive(LEAVES, _branch, max_leaves=8)
TEXTS = st.one_of(
    st.sampled_from(
        [INVOICE, "", "Total: 7\n- a\n- b", '{"name": 3, "items": [1, 2], "ok": "yes"}', "AB 1e999 -4.5 2024-02-31"]
    ),
    st.text(max_size=200),
)


@settings(max_examples=examples(300), deadline=None)
@given(SCHEMAS, TEXTS)
@pytest.mark.slow
def test_what_is_called_complete_is_valid(schema: Any, text: str) -> None:
    filled = fill(schema, text)
    json.dumps(filled.value, allow_nan=False)
    if filled.complete:
        jsonschema.validate(filled.value, schema, format_checker=jsonschema.FormatChecker())
    assert fill(schema, text) == filled


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-60, 60), st.floats(-60, 60), st.text(max_size=5), st.just("red")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=examples(300), deadline=None)
@given(JSON, SCHEMAS)
def test_what_satisfies_here_satisfies_the_reference_validator(value: Any, schema: Any) -> None:
    if satisfies(value, schema, schema):
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())


def test_names_years_and_codes_are_taken_out_of_their_sentences() -> None:
    schema = of(
        year={"type": "integer"}, builder={"type": "string"}, invoice_number={"type": "string"}, due={"type": "string"}
    )
    text = "Extract.\n\nThe lighthouse was built in 1881 by Anna Berg. Invoice INV-2024-017 is due: on Friday."
    filled = fill(schema, text)
    assert (filled.value["year"], filled.value["builder"]) == (1881, "Anna Berg")
    assert filled.value["invoice_number"] == "INV-2024-017"


def test_a_year_is_no_length_and_no_price() -> None:
    schema = {"type": "object", "properties": {name: {"type": "number"} for name in ("year", "length_m", "price")}}
    assert fill(schema, "Extract the facts.\n\nThe lighthouse stands since 1881.").value == {"year": 1881}

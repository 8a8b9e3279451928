"""Requests of every shape that the OpenAPI document allows and many that it does not: no 500, and answers as documented."""

import json
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = json.loads((ROOT / "schema" / "openapi.json").read_text(encoding="utf-8"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = {
    operation.ok().definition.raw["operationId"]: operation.ok()
    for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
del OPERATIONS["live_stream"]  # it never ends, and has tests of its own
BOUNDED = settings(
    max_examples=4,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TEXT = "Rain fell for two days. The river rose by two metres."


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def known(api):
    """Things that are there, for the parameters of paths."""
    run = api.run("brief", text=TEXT)
    waiting = api.run("letter", note=TEXT)
    gate = api.get("/gates", run=waiting["id"])["items"][0]
    api.post("/runs/" + waiting["id"] + "/cancel")
    return {"run_id": run["id"], "gate_id": gate["id"], "name": "brief", "path": "page.html"}


def test_every_operation_is_there():
    assert len(OPERATIONS) > 50


@pytest.mark.parametrize("name", OPERATIONS)
def test_requests_of_every_shape(service, session, known, name):
    operation = OPERATIONS[name]

    def check(strategy):
        @BOUNDED
        @given(case=strategy)
        def holds(case):
            case.call_and_validate(base_url=service.url, session=session, checks=CHECKS, timeout=20)

        holds()

    check(operation.as_strategy(GenerationMode.POSITIVE))
    if operation.definition.raw.get("parameters") or operation.definition.raw.get("requestBody"):
        check(operation.as_strategy(GenerationMode.NEGATIVE))
    wanted = {
        one["name"]: known.get(one["name"])
        for one in operation.definition.raw.get("parameters", ())
        if one["in"] == "path"
    }
    if wanted and None not in wanted.values() and name not in {"runs_delete", "runs_discard"}:
        check(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=wanted))

"""The OpenAPI document is that of the application, breaks no client of the last release, and is what the service does."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.control.breaking import breaking

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = json.loads((ROOT / "schema" / "openapi.json").read_text(encoding="utf-8"))
RELEASED = json.loads((ROOT / "schema" / "openapi.released.json").read_text(encoding="utf-8"))


FEW = {"webhooks_list", "flags_list", "tenants_list", "users_list", "roles_list", "keys_list"}
"""Lists of things of which only so many can be made."""


def operations():
    return [
        (f"{method.upper()} {path}", operation)
        for path, entry in DOCUMENT["paths"].items()
        for method, operation in entry.items()
    ]


@pytest.mark.slow
def test_the_committed_document_is_that_of_the_application():
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "openapi"), "--print"], check=True, capture_output=True, timeout=120
    )
    assert json.loads(made.stdout) == DOCUMENT, "run scripts/openapi"


def test_no_client_of_the_last_release_breaks():
    assert breaking(RELEASED, DOCUMENT) == []


def test_operations_have_pretty_names_and_say_what_they_do():
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))
    assert {"runs_start", "runs_list", "gates_decide", "workflows_register", "usage_sum"} <= set(names)
    for where, operation in operations():
        assert operation["operationId"].split("_")[0] == operation["tags"][0], where
        assert operation.get("description"), where


def test_every_operation_of_the_api_documents_its_errors_as_problems():
    for where, operation in operations():
        if " /api/" not in where:
            continue
        errors = {status: one for status, one in operation["responses"].items() if status == "default" or status > "4"}
        assert {"401", "403", "422", "default"} <= set(errors), where
        assert "{" not in where or "404" in errors, where
        for status, one in errors.items():
            assert list(one["content"]) == ["application/problem+json"], (where, status)


def test_lists_are_bounded():
    for where, operation in operations():
        limits = [one["schema"] for one in operation.get("parameters", ()) if one["name"] in {"limit", "count"}]
        if operation["operationId"].endswith("_list") and operation["operationId"] not in FEW:
            assert limits, where
        assert all(one["maximum"] == 200 for one in limits), where


def changed(change):
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return breaking(DOCUMENT, document)


def schemas(document):
    return document["components"]["schemas"]


def start(document):
    return document["paths"]["/api/v1/runs"]["post"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["paths"].pop("/api/v1/gates/{gate_id}"), "/api/v1/gates/{gate_id}: the path is gone"),
        (lambda d: d["paths"]["/api/v1/runs"].pop("post"), "POST /api/v1/runs: the operation is gone"),
        (lambda d: start(d).update(operationId="runs_begin"), "its name was runs_start and is runs_begin"),
        (
            lambda d: start(d)["parameters"].clear(),
            "POST /api/v1/runs: the header parameter Idempotency-Key is gone",
        ),
        (
            lambda d: start(d)["parameters"].append({"in": "query", "name": "why", "required": True}),
            "the query parameter why has to be given now",
        ),
        (lambda d: start(d)["responses"].pop("202"), "it no longer answers 202"),
        (lambda d: schemas(d)["RunView"]["properties"].pop("outputs"), "the field outputs is gone"),
        (lambda d: schemas(d)["RunView"]["required"].remove("status"), "the field status may be missing now"),
        (lambda d: schemas(d)["RunView"]["properties"]["id"].update(type="integer"), "it was string and may be"),
        (lambda d: schemas(d)["StartRun"]["properties"].pop("session"), "the field session is no longer taken"),
        (lambda d: schemas(d)["StartRun"]["required"].append("session"), "the field session has to be given now"),
        (lambda d: schemas(d)["StartRun"]["properties"]["workflow"].update(maxLength=3), "maxLength is 3 now"),
        (
            lambda d: schemas(d)["StartRun"]["properties"]["session"].update(enum=["a", "b"]),
            "body.session: only a, b is taken now",
        ),
        (
            lambda d: d["paths"]["/api/v1/runs/{run_id}/cancel"]["post"]["requestBody"].update(required=True),
            "a body has to be sent now",
        ),
        (
            lambda d: d["paths"]["/api/v1/workflows"]["post"]["requestBody"]["content"].pop("text/yaml"),
            "it no longer takes text/yaml",
        ),
        (lambda d: schemas(d)["UsageView"]["properties"].pop("tokens"), "items[].usage: the field tokens is gone"),
    ],
)
@pytest.mark.slow
def test_what_breaks_clients_is_found(change, said):
    assert any(said in one for one in changed(change)), changed(change)


def test_what_breaks_nobody_is_left_alone():
    def grow(document):
        document["paths"]["/api/v1/new"] = {"get": {"operationId": "new", "responses": {}}}
        start(document)["parameters"].append({"in": "query", "name": "more", "schema": {"type": "string"}})
        schemas(document)["RunView"]["properties"]["more"] = {"type": "string"}
        schemas(document)["StartRun"]["properties"]["more"] = {"type": "string"}
        schemas(document)["StartRun"]["properties"]["workflow"]["maxLength"] = 10_000
        document["info"]["version"] = "9"

    assert changed(grow) == []
    assert changed(lambda document: None) == []

"""A workflow whose secret is not in the environment of the service is refused when it is asked for, not in the middle of its run."""

import pytest

pytestmark = pytest.mark.slow

SHOP = """\
version: 1
name: shop
runtime: {provider: offline, model_id: extract}
env: {secrets: [{source: env, key: SHOP_TOKEN_OF_NOBODY}]}
inputs: {optional: {message: string}}
agents: {clerk: {prompt: Answer.}}
tools: {http_executors: [{id: shop, base_url: "https://shop.invalid", headers: {X-Key: "${SHOP_TOKEN_OF_NOBODY}"}}]}
pattern: {type: chain, config: {steps: [{wait: {signal: wake}}, {tool: shop, args: {path: /items}}]}}
"""
HIDDEN = SHOP.replace("name: shop\n", "name: hidden\n")


def test_a_run_is_refused_at_its_start_and_the_variable_is_named(make_served):
    service = make_served({"shop": SHOP})
    answer = service.api("POST", "/runs", json={"workflow": "shop", "inputs": {}})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (401, "auth")
    assert "SHOP_TOKEN_OF_NOBODY is not set" in told["detail"]
    assert (told["place"]["line"], told["place"]["pointer"]) == (4, "/env/secrets/0")
    assert service.api("GET", "/runs").json()["items"] == []
    service.kill()
    service.environ["SHOP_TOKEN_OF_NOBODY"] = "a-token-of-somebody"
    service.start()
    begun = service.api("POST", "/runs", json={"workflow": "shop", "inputs": {}}).json()
    service.wait_for(begun["id"], "waiting")


def test_of_a_workflow_that_was_registered_nobody_is_told_where_its_copy_is(make_served):
    service = make_served({})
    made = service.api("POST", "/workflows", json={"source": HIDDEN})
    assert made.status_code == 201, made.text
    answer = service.api("POST", "/runs", json={"workflow": "hidden", "inputs": {}})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth")
    assert str(service.home) not in answer.text

"""The address that a workflow gives a model is held to the rules of the network at each connection, whatever its name answers."""

import pytest
from tests.models.test_registry import request, say

from weft.app.addresses import check_model_addresses
from weft.core.errors import PolicyError
from weft.models.ref import ModelRef
from weft.models.registry import ModelPool
from weft.net.egress import EgressPolicy
from weft.testing.providers import FakeProvider

KEYS = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GOOGLE_API_KEY": "k", "AZURE_OPENAI_API_KEY": "k"}
MODELS = ("openai/m", "anthropic/claude-sonnet-5", "google/gemini-2.5-flash", "azure/m", "ollama/m")


def answers(*said):
    left = list(said)

    async def look_up(host, port):
        return [left.pop(0) if len(left) > 1 else left[0]]

    return look_up


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.7", "::ffff:169.254.169.254"])
async def test_a_name_that_leads_inside_is_refused_when_it_is_dialled(model, address):
    ref = ModelRef.parse(model, base_url="http://rebind.example/v1", declared=True)
    # What its text says is fine: only the answer of the name is not.
    definitions = {"agents": {"a": {"model": model, "base_url": ref.base_url, "base_url_declared": True}}}
    check_model_addresses(definitions, EgressPolicy(), chosen=None, environ={})
    environ = KEYS | ({"AZURE_OPENAI_ENDPOINT": ""} if "azure" in model else {})
    pool = ModelPool(environ=environ, policy=EgressPolicy(), resolver=answers(address))
    with pytest.raises(PolicyError, match="rebind.example"):
        await request(pool, ref)
    await pool.aclose()


async def test_a_name_that_leads_to_this_machine_is_refused_and_nothing_arrives():
    with FakeProvider("openai", say("secret")) as fake:
        port = fake.base_url.split(":")[2].split("/")[0]
        ref = ModelRef.parse("openai/m", base_url=f"http://rebind.example:{port}/v1", declared=True)
        pool = ModelPool(environ=KEYS, policy=EgressPolicy(), resolver=answers("127.0.0.1"))
        with pytest.raises(PolicyError, match="loopback"):
            await request(pool, ref)
        assert fake.requests == []
        allowed = ModelPool(environ=KEYS, policy=EgressPolicy(allow_loopback=True), resolver=answers("127.0.0.1"))
        assert await request(allowed, ref) == "secret"
        await pool.aclose()
        await allowed.aclose()


async def test_what_the_user_or_the_machine_names_is_asked_as_it_was():
    with FakeProvider("openai", say("here")) as fake:
        pool = ModelPool(
            environ={"OPENAI_BASE_URL": fake.base_url}, policy=EgressPolicy(), resolver=answers("10.0.0.7")
        )
        declared = ModelRef.parse("openai/m", base_url="http://rebind.example/v1", declared=True)
        assert await request(pool, declared) == "here"
        assert await request(pool, ModelRef.parse("openai/m", base_url=fake.base_url)) == "here"
        await pool.aclose()


def test_bedrocks_client_looks_names_up_by_itself_so_only_those_of_aws_are_named_by_a_workflow():
    def check(url, chosen=None):
        definitions = {"agents": {"a": {"model": "bedrock/m", "base_url": url, "base_url_declared": True}}}
        check_model_addresses(definitions, EgressPolicy(), chosen=chosen, environ={})

    check("https://bedrock-runtime.eu-west-1.amazonaws.com")
    check("https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com")
    with pytest.raises(PolicyError, match="no address of AWS"):
        check("https://rebind.example")
    with pytest.raises(PolicyError, match="no address of AWS"):
        check("https://amazonaws.com.rebind.example")
    check("https://gateway.example", chosen="https://gateway.example")

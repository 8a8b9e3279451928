"""An address in a workflow sends a model's requests, and with them its key, nowhere that the rules of the network deny."""

from __future__ import annotations

import pytest

from weft.agents.builder import model_ref
from weft.app.addresses import check_model_addresses
from weft.core.errors import InputError, PolicyError
from weft.models.registry import redirected
from weft.net.egress import EgressPolicy


def definitions(base_url, model="openai/gpt-4o-mini"):
    return {"agents": {"plain": {"model": model}, "writer": {"model": model, "base_url": base_url}}}


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254/v1",
        "http://metadata.google.internal/v1",
        "http://[fd00:ec2::254]/v1",
        "http://169.254.1.1/v1",
        "file:///etc/passwd",
        "http://user:secret@api.example.com",
    ],
)
@pytest.mark.parametrize("is_chosen", [False, True])
def test_metadata_services_and_other_schemes_are_refused_whoever_names_them(base_url, is_chosen):
    policy = EgressPolicy(allow_loopback=True, allow_private=True)
    with pytest.raises(PolicyError) as caught:
        check_model_addresses(definitions(base_url), policy, chosen=base_url if is_chosen else None, environ={})
    assert caught.value.place.pointer == "/agents/writer"


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v1", "http://localhost:8000", "http://10.0.0.7/v1"])
def test_this_machine_and_private_networks_take_a_setting_or_the_users_own_word(base_url):
    with pytest.raises(PolicyError) as caught:
        check_model_addresses(definitions(base_url), EgressPolicy(), chosen=None, environ={})
    assert "net.allow_" in caught.value.fix
    check_model_addresses(definitions(base_url), EgressPolicy(), chosen=base_url, environ={})
    check_model_addresses(
        definitions(base_url), EgressPolicy(allow_loopback=True, allow_private=True), chosen=None, environ={}
    )


def test_a_local_provider_is_reached_on_this_machine_and_any_other_by_the_rules():
    check_model_addresses(
        definitions("http://localhost:11434", "ollama/llama3.2"), EgressPolicy(), chosen=None, environ={}
    )
    with pytest.raises(PolicyError):
        check_model_addresses(
            definitions("http://10.0.0.7:11434", "ollama/llama3.2"), EgressPolicy(), chosen=None, environ={}
        )


def test_allowed_domains_and_blocked_patterns_hold_for_the_addresses_of_models_too():
    policy = EgressPolicy(allowed_domains=("example.com",))
    check_model_addresses(definitions("https://llm.example.com/v1"), policy, chosen=None, environ={})
    with pytest.raises(PolicyError):
        check_model_addresses(definitions("https://elsewhere.org/v1"), policy, chosen=None, environ={})


def test_what_is_no_address_is_an_input_error():
    with pytest.raises(InputError):
        check_model_addresses(definitions("https://api.example.com/v1?key=1"), EgressPolicy(), chosen=None, environ={})


@pytest.mark.parametrize(
    ("model", "variable"), [("openai/gpt-4o-mini", "OPENAI_BASE_URL"), ("ollama/llama3.2", "OLLAMA_BASE_URL")]
)
def test_the_providers_own_variable_goes_over_the_address_of_a_file_and_under_the_users_choice(model, variable):
    environ = {variable: "http://127.0.0.1:9999/v1"}
    declared = definitions("http://10.0.0.7:11434", model)
    with pytest.raises(PolicyError):
        check_model_addresses(declared, EgressPolicy(), chosen=None, environ=environ)
    declared["agents"]["writer"]["base_url_declared"] = True
    check_model_addresses(declared, EgressPolicy(), chosen=None, environ=environ)
    ref = model_ref(declared["agents"]["writer"])
    assert redirected(ref, environ).base_url == "http://127.0.0.1:9999/v1"
    assert redirected(ref, {}).base_url == "http://10.0.0.7:11434"

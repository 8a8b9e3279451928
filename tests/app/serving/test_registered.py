"""What a workflow that a user registered may refer to, start and write on the machine of the service."""

import pytest

from weft.app.serving.copies import working_folder
from weft.app.serving.library import Library
from weft.app.serving.trust import Trust
from weft.core.errors import PolicyError, SpecError
from weft.spec.files import read_text
from weft.store.journal import Journal

WORKFLOW = """version: 1
name: own
runtime: {provider: offline, model_id: extract}
agents: {a: {prompt: hi%s}}
%spattern: {type: chain, config: {steps: [{agent: a, input: x}]}}
"""
PLAIN = WORKFLOW % ("", "")
COMMAND = WORKFLOW % (", tools: [x]", "tools: {mcp: [{id: x, command: bash, args: [-c, id]}]}\n")
PRESET = WORKFLOW % (", tools: [x]", "tools: {mcp: [{id: x, preset: filesystem, paths: [/]}]}\n")
REMOTE = WORKFLOW % (", tools: [x]", "tools: {mcp: [{id: x, url: 'https://mcp.example.org/mcp'}]}\n")


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (home / "secrets").mkdir(parents=True)
    (home / "weft.toml").write_text("")
    (home / "secrets" / "key.md").write_text("the key")
    return home


@pytest.fixture
def journal(home):
    journal = Journal(home / "journal.db")
    yield journal
    journal.close()


async def register(library, source, principal="ann"):
    return await library.register(source, principal=principal, tenant="north", at=1)


@pytest.mark.parametrize("source", [COMMAND, PRESET])
async def test_a_workflow_of_a_user_starts_no_programs_unless_the_service_lets_it(journal, home, source):
    library = Library(journal, home, ())
    with pytest.raises(PolicyError, match="may not start programs, as its MCP server 'x'"):
        await register(library, source)
    for tenant, principal in (("north", "local"), ("local", "ann")):
        with pytest.raises(PolicyError):
            await library.register(source, principal=principal, tenant=tenant, at=1)
    assert (await register(library, REMOTE)).version == 1
    assert (await library.register(source, at=1)).version == 1, "the user of this machine may start them anyhow"
    assert (await register(Library(journal, home, (), trust=Trust(programs=True)), source)).version == 2
    with pytest.raises(PolicyError):
        library.get("own", 2, tenant="north")


def names(key, source="env"):
    return WORKFLOW % ("", f"env: {{secrets: [{{source: {source}, key: '{key}', name: S}}]}}\n")


@pytest.mark.parametrize(
    ("key", "source", "named"),
    [
        ("DATABASE_URL", "env", "DATABASE_URL"),
        ("OPENAI_API_KEY", "env", "OPENAI_API_KEY"),
        ("WEFT_STORE__URL", "env", "WEFT_STORE__URL"),
        ("WEFT_TOKEN", "env", "WEFT_TOKEN"),
        ("db", "file", "file:db"),
        ("/prod/db", "ssm", "ssm:/prod/db"),
        ("prod/db", "secrets_manager", "secrets_manager:prod/db"),
        ("db", "azure_key_vault", "azure_key_vault:db"),
        ("kv/db", "vault", "vault:kv/db"),
    ],
)
async def test_a_workflow_of_a_user_reads_no_secret_of_the_service_unless_it_is_listed(
    journal, home, key, source, named
):
    library = Library(journal, home, ())
    source_text = names(key, source)
    with pytest.raises(PolicyError, match="may not read the secret") as refused:
        await register(library, source_text)
    assert repr(named) in refused.value.message
    assert "server.registered_secrets" in refused.value.fix
    assert (await library.register(source_text, at=1, principal="ann")).version == 1, "whoever runs it may name any"
    open_ = Library(journal, home, (), trust=Trust(secrets=(named,)))
    assert (await register(open_, source_text)).version == 1
    with pytest.raises(PolicyError):
        library.get("own", tenant="north")


@pytest.mark.parametrize(
    ("pattern", "source", "key", "may"),
    [
        ("SHOP_*", "env", "SHOP_TOKEN", True),
        ("SHOP_*", "env", "MY_SHOP_TOKEN", False),
        ("SHOP_*", "env", "SHOP", False),
        ("*_TOKEN", "env", "SHOP_TOKEN", True),
        ("SHOP.TOKEN", "env", "SHOP_TOKEN", False),
        ("SHOP_TOKEN", "env", "shop_token", False),
        ("*", "env", "ANY", True),
        ("*", "file", "any", False),
        ("env:ANY", "env", "ANY", True),
        ("vault:kv/shop/*", "vault", "kv/shop/db", True),
        ("vault:kv/shop/*", "vault", "kv/shop/deep/db", True),
        ("vault:kv/shop/*", "ssm", "kv/shop/db", False),
        ("vault:kv/shop/*", "vault", "kv/shop/../admin/root", False),
        ("vault:kv/shop/*", "vault", "kv/shop/./../admin", False),
        ("vault:kv/shop/*", "vault", "kv/shop/%2e%2e/admin", False),
        ("vault:kv/shop/*", "vault", "kv/shop//db", False),
        ("vault:kv/shop/*", "vault", "kv/shop/x?version=1", False),
        ("file:shop/*", "file", "shop/..", False),
        ("ssm:/prod/shop/*", "ssm", "/prod/shop/db", True),
        ("ssm:/prod/shop/*", "ssm", "/prod/shopkeeper", False),
    ],
)
async def test_a_pattern_lets_through_what_is_under_it_and_nothing_that_leads_elsewhere(
    journal, home, pattern, source, key, may
):
    library = Library(journal, home, (), trust=Trust(secrets=("OTHER", pattern)))
    if may:
        assert (await register(library, names(key, source))).version == 1
    else:
        with pytest.raises(PolicyError, match="may not read the secret"):
            await register(library, names(key, source))


ADDRESS = WORKFLOW.replace("provider: offline, model_id: extract", "provider: openai, model_id: gpt-4o-mini")


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://llm.example.org/v1", True),
        ("https://LLM.example.org./v1", True),
        ("https://a.models.example.org/v1", True),
        ("https://models.example.org/v1", False),
        ("https://evil.example/v1", False),
        ("https://llm.example.org.evil.example/v1", False),
        ("https://notllm.example.org/v1", False),
        ("http://127.0.0.1:8000/v1", False),
    ],
)
async def test_a_workflow_of_a_user_sends_the_keys_of_the_service_nowhere_but_where_it_may(journal, home, address, may):
    text = ADDRESS % (f", base_url: '{address}'", "")
    allowed = Trust(addresses=("llm.example.org", "*.models.example.org"))
    with pytest.raises(PolicyError, match="may not send the keys of the service") as refused:
        await register(Library(journal, home, ()), text)
    assert "server.registered_addresses" in refused.value.fix
    if may:
        assert (await register(Library(journal, home, (), trust=allowed), text)).version == 1
    else:
        with pytest.raises(PolicyError):
            await register(Library(journal, home, (), trust=allowed), text)
    assert (await Library(journal, home, ()).register(text, principal="ann", at=1)).version == 1


async def test_every_way_to_say_where_models_are_is_seen_and_ollama_on_this_machine_is_none(journal, home):
    library = Library(journal, home, ())
    for text in (
        ADDRESS.replace("model_id: gpt-4o-mini", "model_id: gpt-4o-mini, host: 'https://evil.example'") % ("", ""),
        ADDRESS % (", host: 'https://evil.example'", ""),
        ADDRESS % (", provider: ollama, model_id: m, host: 'https://evil.example'", ""),
    ):
        with pytest.raises(PolicyError, match=r"to 'evil\.example'"):
            await register(library, text)
    local = ADDRESS % (", provider: ollama, model_id: m, host: 'http://localhost:11434'", "")
    assert (await register(library, local)).version == 1


@pytest.mark.parametrize(
    "part",
    [
        "agents: {a: {$ref: ../../../secrets/key.md}}",
        "skills: [{id: s, path: ../../../secrets}]\nagents: {a: {prompt: hi}}",
        "agents: {a: {prompt: hi, output_schema: ../../../secrets/key.md}}",
        "agents: {a: {$ref: ../north/other.yaml}}",
    ],
)
async def test_a_registered_workflow_refers_to_no_file_of_the_machine(journal, home, part):
    with pytest.raises(SpecError, match="leaves the project folder"):
        await register(Library(journal, home, ()), PLAIN.replace("agents: {a: {prompt: hi}}", part))


async def test_no_run_changes_the_workflow_that_it_runs(journal, home):
    library = Library(journal, home, ())
    one = await register(library, PLAIN)
    folder = working_folder(home, one.file)
    assert folder.is_dir()
    assert one.file.parent != folder
    assert not one.file.is_relative_to(folder)
    one.file.write_text(COMMAND)
    again = Library(journal, home, ()).get("own", tenant="north")
    assert again.workflow.tools.mcp == []
    assert read_text(again.file) == PLAIN
    elsewhere = home.parent / "flows" / "own.yaml"
    assert working_folder(home, elsewhere) == elsewhere.parent

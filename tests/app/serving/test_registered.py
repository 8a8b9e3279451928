"""What a workflow that a user registered may refer to, start and write on the machine of the service."""

import pytest

from weft.app.serving.copies import working_folder
from weft.app.serving.library import Library
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
    with pytest.raises(PolicyError):
        await library.register(source, principal="local", tenant="north", at=1)
    assert (await register(library, REMOTE)).version == 1
    assert (await library.register(source, at=1)).version == 1, "the user of this machine may start them anyhow"
    assert (await register(Library(journal, home, (), programs=True), source)).version == 2
    with pytest.raises(PolicyError):
        library.get("own", 2, tenant="north")


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

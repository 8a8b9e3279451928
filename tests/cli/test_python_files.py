"""``file.py:name`` wherever a workflow file may be given."""

import signal
import textwrap

import pytest

from tests.cli.conftest import ROOT
from tests.waiting import until

pytestmark = pytest.mark.slow

FLOW = """\
import asyncio
import time
from pathlib import Path

import weft
from weft import build


@weft.tool(effect="pure")
def nap(name: str, seconds: float = 0) -> str:
    \"\"\"Sleep, and leave a mark.\"\"\"
    time.sleep(seconds)
    with Path("effects.log").open("a", encoding="utf-8") as log:
        log.write(f"{name}\\n")
    return f"{name} slept"


@weft.agent
async def reader(text: str) -> str:
    \"\"\"Quote the sentence that matters most.\"\"\"
    ...


@weft.workflow(provider="openai")
async def naps(name: str, times: int = 2) -> dict[str, object]:
    \"\"\"Naps.\"\"\"
    slept = await asyncio.gather(*[nap(f"{name}{n}") for n in range(times)])
    decision = await weft.gate("Was it good?", choices=["yes", "no"])
    said = await reader("The loom is warped. The weft is missing.")
    return {"slept": slept, "choice": decision.choice, "said": said}


@weft.workflow
async def long(seconds: float) -> list[str]:
    return [await nap("one"), await nap("two", seconds), await nap("three")]


hello = (
    build.workflow("hello", provider="openai")
    .input("text")
    .agent("reader", "Quote the sentence that matters most.", tools=[])
    .pattern(build.chain(build.ask("reader", "{{ text }}")))
)


def ordinary():
    return 1
"""


@pytest.fixture
def cli(weft):
    weft.write("flow.py", FLOW)
    return weft


def test_a_function_is_run_waits_and_goes_on(cli):
    said = cli("run", "flow.py:naps", "--offline", "--var", "name=a", "--var", "times=3", "--json")
    assert said.code == 19, said.err
    run = said.json["run_id"]
    assert sorted(cli.effects()) == ["a0", "a1", "a2"]
    assert "Was it good?" in cli("why", run).out
    said = cli("approve", run, "--answer", "yes", "--json")
    assert said.code == 0, said.err + said.out
    ended = cli("show", run, "--json").json
    assert ended["status"] == "completed"
    assert ended["outputs"]["value"]["choice"] == "yes"
    assert len(cli.effects()) == 3
    assert cli("replay", run).code == 0
    assert cli("verify", run).code == 0
    shown = cli("show", run).out
    assert "nap[0]" in shown
    assert "reader[0]" in shown


def test_a_built_workflow_is_run_like_a_file(cli):
    cli.write(
        "hello.yaml",
        """\
version: 1
name: hello
runtime: {provider: openai}
inputs: {required: {text: string}}
agents: {reader: {prompt: Quote the sentence that matters most., tools: []}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ text }}"}]}}
""",
    )
    file = cli("validate", "hello.yaml", "--json").json
    built = cli("validate", "flow.py:hello", "--json").json
    assert built["plan_hash"] == file["plan_hash"]
    assert cli("plan", "flow.py:hello").out == cli("plan", "hello.yaml").out
    said = cli("run", "flow.py:hello", "--offline", "--var", "text=The loom is warped.", "-q")
    assert said.code == 0, said.err
    assert "The loom is warped." in said.out


def test_a_function_is_validated_and_drawn(cli):
    said = cli("validate", "flow.py:naps")
    assert said.code == 0, said.out + said.err
    assert "can be run" in said.out
    assert "program flow.py:naps" in cli("plan", "flow.py:naps").out
    parts = cli("plan", "flow.py:naps", "--json").json["root"]["body"]["parts"]
    assert set(parts) == {"flow.py:nap", "flow.py:naps", "flow.py:reader"}
    assert "nap" in cli("tools", "list", "flow.py:naps").out


@pytest.mark.parametrize(
    ("name", "said", "line"),
    [
        ("flow.py:nasp", "did you mean 'naps'?", None),
        ("flow.py", "which workflow in flow.py is meant?", None),
        ("flow.py:ordinary", "is a function, not a workflow", None),
        ("none.py:x", "there is no such file", None),
        ("syntax.py:x", "cannot be read", 2),
        ("imports.py:x", "No module named 'nowhere_at_all'", 1),
        ("raises.py:x", "ZeroDivisionError", 3),
        ("empty.py:x", "the agent 'mute' has no prompt", None),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(cli, name, said, line):
    cli.write("syntax.py", "x = 1\ndef y(:\n")
    cli.write("imports.py", "import nowhere_at_all\n")
    cli.write("raises.py", "x = 1\n\ny = 1 / 0\n")
    cli.write(
        "empty.py",
        "import weft\n\n@weft.agent\nasync def mute(a: str) -> str: ...\n\n@weft.workflow\nasync def x(): await mute('a')\n",
    )
    told = cli("run", name, "--offline")
    assert told.code == 3, told.err
    assert "Traceback" not in told.err
    assert said in told.err, told.err
    if line is not None:
        problem = cli("validate", name, "--json").json["problems"][0]
        assert problem["line"] == line
        assert problem["file"].endswith(name.partition(":")[0])


def test_inputs_are_those_of_the_signature(cli):
    assert "'name' is missing" in cli("run", "flow.py:naps", "--offline").err
    said = cli("run", "flow.py:naps", "--offline", "--var", "name=a", "--var", "tims=3")
    assert (said.code, "did you mean 'times'" in said.err) == (2, True)
    said = cli("run", "flow.py:naps", "--offline", "--var", "name=a", "--var", "times=many")
    assert (said.code, "cannot be read as integer" in said.err) == (2, True)


def test_code_beside_the_file_is_imported_and_counts(cli):
    (cli.folder / "parts").mkdir()
    (cli.folder / "parts" / "weave.py").write_text(
        textwrap.dedent("""\
        import weft
        from . import yarn

        @weft.workflow
        async def cloth() -> str:
            await weft.gate("Start?")
            return yarn.spin("wool")
        """)
    )
    (cli.folder / "parts" / "yarn.py").write_text("def spin(what):\n    return f'{what} yarn'\n")
    said = cli("run", "parts/weave.py:cloth", "--json")
    assert said.code == 19, said.err
    run = said.json["run_id"]
    parts = cli("plan", "parts/weave.py:cloth", "--json").json["root"]["body"]["parts"]
    assert set(parts) == {"weave.py:cloth", "yarn.py:spin"}
    (cli.folder / "parts" / "yarn.py").write_text("def spin(what):\n    return f'{what} thread'\n")
    process = cli.finish(cli.start("approve", run, "--answer", "go"))
    assert process.code == 17, process.err
    assert "yarn.py:spin has changed" in process.err
    assert "stalled" in cli("show", run).out
    assert "yarn.py:spin has changed" in cli("why", run).out
    (cli.folder / "parts" / "yarn.py").write_text("def spin(what):\n    # as before\n    return f'{what} yarn'\n")
    process = cli.finish(cli.start("resume", run))
    assert (process.code, process.out.strip()) == (0, "wool yarn"), process.err


def test_a_killed_function_goes_on_where_it_was(cli):
    process = cli.start("run", "flow.py:long", "--var", "seconds=60")
    cli.wait_for_effects(1)
    cli.wait_for_event("step.completed", "/nap[0]")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    text = FLOW.replace("    time.sleep(seconds)\n", "    time.sleep(min(seconds, 0.1))\n")
    cli.write("flow.py", text)
    said = cli.finish(cli.start("resume", "last"))
    assert said.code == 17, "other code of a tool that the function calls is other code"
    cli.write("flow.py", FLOW)
    process = cli.start("resume", "last")
    until(lambda: cli("show", "last", "--json").json["status"] == "running", 60)
    process.send_signal(signal.SIGINT)
    said = cli.finish(process)
    assert said.code == 130, said.err
    assert cli.effects() == ["one"]
    assert "no process is driving it" in cli("why", "last").out
    assert cli("cancel", "last").code == 0


def test_kill_minus_nine_between_two_steps_repeats_nothing(cli):
    cli.write(
        "flow.py",
        FLOW.replace('await nap("two", seconds)', 'await nap("two")').replace(
            '    return [await nap("one")',
            "    first = await nap('one')\n    await weft.sleep(seconds)\n    return [first",
        ),
    )
    process = cli.start("run", "flow.py:long", "--var", "seconds=4")
    cli.wait_for_effects(1)
    cli.wait_for_event("step.completed", "/nap[0]")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = cli.finish(cli.start("resume", "last", "--json"))
    assert said.code == 0, said.err
    assert said.json["outputs"]["value"] == ["one slept", "two slept", "three slept"]
    assert cli.effects() == ["one", "two", "three"]
    assert cli("replay", "last").code == 0


def test_the_example_waits_for_a_person_and_publishes(cli):
    example = ROOT / "examples" / "python" / "briefing.py"
    said = cli("run", f"{example}:briefing", "--offline", "--var", "question=What did the doors cost?", "--json")
    assert said.code == 19, said.err
    said = cli("approve", said.json["run_id"], "--answer", "publish")
    assert said.code == 0, said.err
    assert "12-finance-memo.md:" in said.out
    assert cli("replay", "last").code == 0

"""Workflow functions: what they ask for, the order in which it happens, and what becomes of their values."""

from __future__ import annotations

import threading

import pytest

from tests.engine.world import simulated
from tests.python.looms import Loom, Reading
from weft.testing.scripted import Trouble

TOOLS = """
@weft.tool
async def fetch(name: str) -> str:
    \"\"\"Fetch.\"\"\"

@weft.tool
async def store(name: str) -> str:
    \"\"\"Store.\"\"\"

@weft.tool
async def broken(name: str) -> str:
    \"\"\"Never works.\"\"\"
"""


def loom(folder, source, **troubles) -> Loom:
    return Loom(folder, TOOLS + source, Reading({f"/{path}": trouble for path, trouble in troubles.items()}))


def replays(world: Loom, run_id: str) -> None:
    """A replay of the run performs nothing and finds the same events."""
    found, effects = [], dict(world.performer.effects)
    thread = threading.Thread(target=lambda: found.append(world.replayed(run_id)))
    thread.start()
    thread.join()
    assert found[0].difference is None, found[0].difference
    assert dict(world.performer.effects) == effects


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@simulated
async def test_steps_are_named_by_what_is_called_and_how_often(folder):
    world = loom(
        folder,
        """
@weft.workflow
async def flow(topic: str):
    first = await fetch(topic)
    return [first, await fetch("b"), await store(first), await fetch.at("named")("c")]
""",
    )
    result = await world.call(topic="a")
    assert result.status == "completed", result.error
    assert result.outputs["value"] == ["fetch(a)", "fetch(b)", "store(fetch(a))", "fetch(c)"]
    assert world.asked(result.run_id) == ["/fetch[0]", "/fetch[1]", "/store[0]", "/fetch[named]"]
    replays(world, result.run_id)


@simulated
async def test_siblings_are_named_in_the_order_of_creation_whichever_ends_first(folder):
    slow = {"fetch[0]": Trouble(seconds=30), "fetch[1]": Trouble(seconds=10), "fetch[2]": Trouble(seconds=20)}
    world = Loom(
        folder,
        TOOLS
        + """
@weft.workflow
async def flow():
    return await asyncio.gather(*[fetch(name) for name in "abc"])
""",
        Reading({f"/{path}": trouble for path, trouble in slow.items()}),
    )
    result = await world.call()
    assert result.outputs["value"] == ["fetch(a)", "fetch(b)", "fetch(c)"]
    assert world.asked(result.run_id) == ["/fetch[0]", "/fetch[1]", "/fetch[2]"]
    replays(world, result.run_id)


@simulated
async def test_tasks_have_places_of_their_own(folder):
    world = Loom(
        folder,
        TOOLS
        + """
async def one(name):
    return await store(await fetch(name))

@weft.workflow
async def flow():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(name)) for name in "ab"]
    with weft.within("after"):
        last = await fetch("c")
    return [task.result() for task in tasks] + [last]
""",
        Reading({"/one[0]/fetch[0]": Trouble(seconds=9)}),
    )
    result = await world.call()
    assert result.outputs["value"] == ["store(fetch(a))", "store(fetch(b))", "fetch(c)"]
    assert sorted(world.asked(result.run_id)) == [
        "/after/fetch[0]",
        "/one[0]/fetch[0]",
        "/one[0]/store[0]",
        "/one[1]/fetch[0]",
        "/one[1]/store[0]",
    ]
    replays(world, result.run_id)


@simulated
async def test_the_winner_of_a_race_is_the_same_in_the_next_life(folder):
    world = Loom(
        folder,
        TOOLS
        + """
@weft.workflow
async def flow():
    tasks = [asyncio.create_task(fetch(name)) for name in "abc"]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    winner = done.pop().result()
    decision = await weft.gate(f"Take {winner}?", choices=["yes", "no"])
    return [winner, decision.choice]
""",
        Reading({f"/fetch[{n}]": Trouble(seconds=s) for n, s in ((0, 30), (1, 10), (2, 20))}),
    )
    result = await world.call()
    assert result.status == "waiting"
    from weft.engine.questions import Answer

    await world.engine.decide(result.run_id, None, Answer(by="me", response="yes"))
    await world.engine.close()
    ended = await world.resume(result.run_id)
    assert ended.outputs["value"] == ["fetch(b)", "yes"], ended.error
    assert world.performer.started["/fetch[1]"] == 1
    replays(world, result.run_id)


@simulated
async def test_a_failed_step_can_be_caught_and_an_uncaught_one_fails_the_run(folder):
    world = loom(
        folder,
        """
@weft.workflow
async def flow(careful: bool):
    try:
        return await broken("x")
    except weft.ToolError as error:
        if not careful:
            raise
        return await fetch(error.code)
""",
        **{"broken[0]": Trouble(fatal=True)},
    )
    saved = await world.call(careful=True)
    assert saved.outputs["value"] == "fetch(tool)"
    replays(world, saved.run_id)
    lost = await world.call(careful=False)
    assert (lost.status, lost.error.code) == ("failed", "tool")
    replays(world, lost.run_id)


@simulated
async def test_an_exception_of_the_function_fails_the_run_with_its_place(folder):
    world = loom(
        folder,
        """
@weft.workflow
async def flow():
    await fetch("a")
    return {}["missing"]
""",
    )
    result = await world.call()
    assert (result.status, result.error.code) == ("failed", "program")
    assert "KeyError" in result.error.message
    assert result.error.place.file == str(world.file)
    assert world.file.read_text().splitlines()[result.error.place.line - 1].strip() == 'return {}["missing"]'
    replays(world, result.run_id)


@simulated
async def test_time_chance_and_functions_are_steps(folder):
    world = loom(
        folder,
        """
def slug(text: str) -> str:
    return text.lower()

async def shout(text):
    return text.upper()

@weft.workflow
async def flow():
    at = await weft.now()
    await weft.sleep(60)
    later = await weft.now()
    draw = await weft.random()
    return [(later - at).seconds, 0 <= draw < 1, await weft.step("slug", slug, "ABC"), await weft.step("shout", shout, "abc")]
""",
    )
    result = await world.call()
    assert result.outputs["value"] == [60, True, "abc", "ABC"], result.error
    replays(world, result.run_id)


@simulated
async def test_typed_inputs_and_results(folder):
    world = loom(
        folder,
        """
from dataclasses import dataclass

@dataclass
class Order:
    item: str
    count: int = 1

@weft.tool
def double(order: Order) -> Order:
    \"\"\"Double it.\"\"\"

@weft.workflow
async def flow(order: Order, tags: set[str]):
    assert isinstance(order, Order)
    assert isinstance(tags, set)
    return order
""",
    )
    result = await world.call(order={"item": "wool"}, tags=["a"])
    assert result.outputs["value"] == {"item": "wool", "count": 1}


@simulated
@pytest.mark.slow
async def test_what_a_function_may_not_do_says_what_to_do_instead(folder):
    world = loom(
        folder,
        """
import time

@weft.workflow
async def sleeps():
    await asyncio.sleep(1)

@weft.workflow
async def threads():
    await asyncio.to_thread(time.sleep, 0)

@weft.workflow
async def hangs():
    await asyncio.Event().wait()

@weft.workflow
async def spins():
    while True:
        await asyncio.sleep(0)

@weft.workflow
async def leaves():
    raise SystemExit(3)

@weft.workflow
async def unsayable():
    await fetch(object())

@weft.workflow
async def twice():
    await fetch.at("k")("a")
    await fetch.at("k")("b")
""",
    )
    said = {}
    for name in ("sleeps", "threads", "hangs", "spins", "leaves", "unsayable", "twice"):
        result = await world.call(name)
        assert result.status == "failed", name
        said[name] = (result.error.code, result.error.message)
    assert said["sleeps"][0] == "unsupported"
    assert "weft.sleep" in said["sleeps"][1]
    assert said["threads"] == ("unsupported", "a workflow function may not start a thread: that is for steps")
    assert said["hangs"][0] == "limit"
    assert said["spins"][0] == "limit"
    assert said["leaves"][0] == "program"
    assert said["unsayable"][0] == "program"
    assert said["twice"] == ("program", "the program asks twice for the step /fetch[k]")


@simulated
@pytest.mark.slow
async def test_a_workflow_runs_another_as_a_run_of_its_own(folder):
    world = loom(
        folder,
        """
from weft import build

waits = build.workflow("waits", provider="offline").input("word").agent("a", "x").pattern(
    build.chain(build.wait(seconds=5), build.use("head", {"path": "{{ word }}"})))

@weft.workflow
async def inner(name: str) -> str:
    return await fetch(name)

@weft.workflow
async def flow():
    return [*await asyncio.gather(inner("a"), inner("b")), await waits(word="w")]
""",
    )
    result = await world.call()
    assert result.outputs["value"][:2] == ["fetch(a)", "fetch(b)"], result.error
    assert result.outputs["value"][2].startswith("head(")
    children = world.journal.runs.children(result.run_id)
    assert sorted(child.workflow for child in children) == ["inner", "inner", "waits"]
    replays(world, result.run_id)
    for child in children:
        replays(world, child.id)


@pytest.mark.slow
@simulated
async def test_ten_thousand_steps_are_too_many_at_once_and_many_are_not(folder):
    world = loom(
        folder,
        """
@weft.workflow
async def flow(n: int):
    return len(await asyncio.gather(*[fetch(str(i)) for i in range(n)]))
""",
    )
    result = await world.call(n=300)
    assert result.outputs["value"] == 300
    refused = await world.call(n=10_001)
    assert (refused.status, refused.error.code) == ("failed", "limit")


@simulated
async def test_a_time_limit_ends_a_function_that_waits(folder):
    world = loom(
        folder,
        """
@weft.workflow(budgets={"max_duration_s": 5})
async def flow():
    await weft.sleep(100)
""",
    )
    result = await world.call()
    assert (result.status, result.error.code) == ("failed", "budget")
    replays(world, result.run_id)


@simulated
async def test_an_abandoned_generator_is_no_trouble(folder):
    world = loom(
        folder,
        """
async def numbers():
    for n in range(9):
        yield await fetch(str(n))

@weft.workflow
async def flow():
    async for number in numbers():
        return number
""",
    )
    assert (await world.call()).outputs["value"] == "fetch(0)"


@simulated
@pytest.mark.slow
async def test_a_file_that_has_changed_is_loaded_again_for_new_runs(folder):
    source = "from beside import WORD\n@weft.workflow\nasync def flow():\n    return 1, WORD\n"
    (folder / "beside.py").write_text("WORD = 'a'\n")
    world = loom(folder, source)
    assert (await world.call()).outputs["value"] == [1, "a"]
    world.write(TOOLS + source.replace("return 1,", "return 22,"))
    assert (await world.call()).outputs["value"] == [22, "a"]
    (folder / "beside.py").write_text("WORD = 'bcd'\n")
    assert (await world.call()).outputs["value"] == [22, "bcd"]

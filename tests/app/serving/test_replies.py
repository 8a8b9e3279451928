"""A run as a reply: streamed while it comes in, whole at its end, the same for every reader, through gates and child runs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from weft.app.hosting import Host
from weft.app.serving.inputs import Message
from weft.app.serving.items import Answered, Asked, Ended, Item, Said, StepBegan, StepEnded, Thought, Waits
from weft.app.serving.places import BEGINNING, Place, Rest, here, rests
from weft.app.serving.questions import open_gates
from weft.app.serving.turns import Turn
from weft.core.errors import ConflictError, InputError
from weft.engine.questions import Answer

pytestmark = pytest.mark.slow
TWICE = """
version: 1
name: twice
runtime: {provider: openai, model_id: gpt-4o-mini}
agents: {writer: {prompt: Write., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "Shall I?", choices: [go, reject]}
      - {type: hitl, prompt: "Really?", choices: [go, reject]}
      - {agent: writer, input: "Write of wool."}
"""
BETWEEN = """
version: 1
name: between
runtime: {provider: openai, model_id: gpt-4o-mini}
agents: {writer: {prompt: Write., tools: []}}
pattern: {type: chain, config: {steps: [{workflow: twice.yaml}]}}
"""
ABOVE = BETWEEN.replace("between", "above").replace("twice", "between")
"""Two questions that a run two levels down asks one after the other, at once."""


@pytest.fixture
def flows(flows):
    for name, text in {"twice": TWICE, "between": BETWEEN, "above": ABOVE}.items():
        (flows / f"{name}.yaml").write_text(text, encoding="utf-8")
    return flows


async def asked(host: Host, name: str, text: str, **more) -> str:
    turn = Turn(target=host.library.get(name), messages=(Message("user", text),), **more)
    return (await host.begin(turn)).run_id


async def reply(host: Host, run_id: str, place: Place = BEGINNING) -> list[Item]:
    async with asyncio.timeout(60), aclosing(host.replies.follow(run_id, place)) as items:
        return [item async for item in items]


def said(items: list[Item]) -> str:
    return "".join(item.text for item in items if isinstance(item, Said))


async def test_the_answer_streams_and_is_the_answer_of_the_run(host):
    run_id = await asked(host, "two", "looms")
    items = await reply(host, run_id)
    end = items[-1]
    assert isinstance(end, Ended)
    assert (end.status, end.said) == ("completed", True)
    assert said(items) == end.text != ""
    pieces = [item for item in items if isinstance(item, Said)]
    assert len(pieces) > 2
    assert {item.agent for item in pieces} == {"writer"}
    thoughts = [item for item in items if isinstance(item, Thought)]
    assert {item.agent for item in thoughts} == {"reader"}
    steps = [(item.type, item.target) for item in items if isinstance(item, StepBegan)]
    assert steps == [
        ("agent", "reader"),
        ("model", "openai/gpt-4o-mini"),
        ("agent", "writer"),
        ("model", "openai/gpt-4o-mini"),
    ]
    assert len([item for item in items if isinstance(item, StepEnded)]) == 4
    assert end.usage.requests == 2


async def test_a_run_that_has_ended_is_the_same_reply_without_its_pieces(host):
    run_id = await asked(host, "two", "looms")
    live = await reply(host, run_id)
    later = await reply(host, run_id)
    assert said(later) == said(live)
    assert later[-1] == live[-1]
    assert [type(item) for item in later if not isinstance(item, Said | Thought)] == [
        type(item) for item in live if not isinstance(item, Said | Thought)
    ]


async def test_who_comes_in_the_middle_of_a_sentence_hears_it_once_and_whole(host):
    run_id = await asked(host, "two", "looms")
    async with asyncio.timeout(60), aclosing(host.replies.follow(run_id)) as coming:
        async for item in coming:
            if isinstance(item, Said):
                late = await reply(host, run_id)
                break
    assert said(late) == late[-1].text
    assert late[-1].said


async def test_many_readers_see_the_same(host):
    run_id = await asked(host, "two", "looms")
    replies = await asyncio.gather(*(reply(host, run_id) for _ in range(20)))
    assert len({said(items) for items in replies}) == 1
    assert all(items[-1] == replies[0][-1] for items in replies)


async def test_a_reply_of_a_child_run_names_its_steps_and_streams_its_answer(host):
    run_id = await asked(host, "parent", "looms")
    items = await reply(host, run_id)
    assert isinstance(items[-1], Ended)
    assert items[-1].status == "completed", items[-1].error
    child = [item for item in items if isinstance(item, Said)]
    assert len(child) > 2
    assert {item.run_id for item in child} != {run_id}
    assert said(items) == items[-1].text


async def test_a_gate_is_asked_and_the_reply_goes_on_with_the_answer(host):
    run_id = await asked(host, "asks", "looms")
    items = []
    async with asyncio.timeout(60), aclosing(host.replies.follow(run_id)) as coming:
        async for item in coming:
            items.append(item)
            if isinstance(item, Waits):
                await host.decide(run_id, None, Answer(by="ann", choice="send"))
    assert [item.request["prompt"] for item in items if isinstance(item, Asked)] == ["Send it?"]
    assert [item.decision["by"] for item in items if isinstance(item, Answered)] == ["ann"]
    assert items[-1].status == "completed"
    assert items[-1].text.startswith("Of It was send.")


async def test_a_reply_can_be_read_on_from_an_event(host):
    run_id = await asked(host, "two", "looms")
    whole = await reply(host, run_id)
    middle = next(item.seq for item in whole if isinstance(item, StepEnded) and item.type == "agent")
    rest = await reply(host, run_id, Place(middle))
    assert [type(one) for one in rest if isinstance(one, StepBegan)] == [StepBegan, StepBegan]
    assert rest[-1].text == whole[-1].text


async def test_a_cancelled_run_ends_the_reply(host):
    run_id = await asked(host, "asks", "looms")
    async with asyncio.timeout(60), aclosing(host.replies.follow(run_id)) as coming:
        async for item in coming:
            if isinstance(item, Waits):
                await host.cancel(run_id)
            last = item
    assert isinstance(last, Ended)
    assert last.status == "cancelled"


async def test_the_same_key_is_the_same_run_and_another_request_under_it_is_refused(host):
    turn = {"target": host.library.get("two"), "inputs": {"topic": "looms"}, "key": "k"}
    first, second = await asyncio.gather(host.begin(Turn(**turn)), host.begin(Turn(**turn)))
    assert first.run_id == second.run_id
    assert {first.first, second.first} == {True, False}
    with pytest.raises(ConflictError):
        await host.begin(Turn(**{**turn, "inputs": {"topic": "wool"}}))


async def test_a_request_that_came_to_nothing_can_be_made_again_under_its_key(host):
    with pytest.raises(InputError):
        await host.begin(Turn(target=host.library.get("two"), inputs={"topic": 7}, key="k"))
    begun = await host.begin(Turn(target=host.library.get("two"), inputs={"topic": "looms"}, key="k"))
    assert begun.first


async def test_a_slow_reader_loses_nothing_but_deltas(host):
    run_id = await asked(host, "two", "looms")
    seqs = []
    async with asyncio.timeout(60), aclosing(host.tails.follow(run_id)) as frames:
        async for frame in frames:
            await asyncio.sleep(0.01)
            if not frame.delta:
                seqs.append(frame.seq)
    assert seqs == list(range(1, host.journal.runs.get(run_id).head_seq + 1))


async def test_the_first_words_are_heard_however_quickly_they_come(host):
    """A run is driven from its start on, and followed a moment later."""
    for number in range(20):
        run_id = await asked(host, "two/writer", f"looms {number}")
        await asyncio.sleep(0.004 * (number % 5))
        items = await reply(host, run_id)
        assert said(items) == items[-1].text == f"Of looms {number}: all is well."
        assert items[-1].said


async def test_whoever_comes_in_the_middle_is_told_the_whole_answer(host):
    run_id = await asked(host, "two/writer", "looms")
    host.tails.close()  # nobody has listened so far
    await asyncio.sleep(0.02)
    items = await reply(host, run_id)
    assert said(items) == items[-1].text == "Of looms: all is well."


async def at_rest(host: Host, run_id: str, place: Place = BEGINNING) -> list[Item]:
    """What a reply says until the run and those below it wait."""
    items: list[Item] = []
    async with asyncio.timeout(60), aclosing(host.replies.follow(run_id, place)) as coming:
        async for item in coming:
            items.append(item)
            if isinstance(item, Waits):
                break
    return items


def prompts(items: list[Item]) -> list[str]:
    return [item.request["prompt"] for item in items if isinstance(item, Asked)]


async def answered(host: Host, run_id: str) -> None:
    """Answer the question that is open, and wait until what comes of it is written: that is how fast a run can be."""
    gate = open_gates(host.journal, run_id)[0]
    before = host.journal.runs.get(gate.run_id).head_seq
    await host.decide(gate.run_id, gate.id, Answer(by="ann", choice="go"))
    async with asyncio.timeout(60):
        while True:
            run = host.journal.runs.get(gate.run_id)
            if run.head_seq > before and (run.ended or (run.status == "waiting" and not run.driven)):
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["here", "rest"])
async def test_whoever_follows_after_an_answer_misses_nothing_of_a_run_below_that_asks_again_at_once(host, how):
    run_id = await asked(host, "above", "")
    first = await at_rest(host, run_id)
    assert prompts(first) == ["Shall I?"]
    place = here(host.journal, run_id, 0) if how == "here" else Place(first[-1].seq, first[-1].at)
    await answered(host, run_id)
    second = await at_rest(host, run_id, place)
    assert prompts(second) == ["Really?"]
    assert [type(item) for item in second[-2:]] == [Asked, Waits]
    place = here(host.journal, run_id, 0) if how == "here" else Place(second[-1].seq, second[-1].at)
    await answered(host, run_id)
    last = await reply(host, run_id, place)
    assert (prompts(last), last[-1].status) == ([], "completed")
    assert said(last) == last[-1].text


async def test_the_times_at_which_a_run_and_those_below_it_rested_are_in_the_journal(host):
    run_id = await asked(host, "above", "")
    first = (await at_rest(host, run_id))[-1]
    await answered(host, run_id)
    second = (await at_rest(host, run_id, Place(first.seq, first.at)))[-1]
    below = open_gates(host.journal, run_id)[0].run_id
    known = [Rest(run_id, first.seq, first.at), Rest(below, first.seq, second.at)]
    assert list(rests(host.journal, run_id, BEGINNING)) == known
    assert list(rests(host.journal, run_id, known[0].place)) == known[1:]
    await answered(host, run_id)
    assert (await reply(host, run_id))[-1].status == "completed"
    assert list(rests(host.journal, run_id, BEGINNING)) == known
    assert list(rests(host.journal, run_id, known[1].place)) == []

"""What the offline model answers in text, seen through an agent."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai import Agent

from weft.models.offline.model import OfflineModel
from weft.models.offline.sentences import plain, read
from weft.models.offline.words import count_pieces

HARBOUR = """# The harbour of Altmark

The harbour of Altmark was opened in 1872 by Dr. E. Lindqvist, e.g. for timber and grain. Timber left the harbour on
forty ships a week. A fire destroyed the eastern quay of the harbour in 1911! The quay was rebuilt in stone within two
years.

## Traffic today

| Year | Ships | Tonnage |
| --- | --- | --- |
| 2019 | 412 | 1.9 |
| 2020 | 388 | 1.7 |

- Ferries carry passengers to the islands twice a day.
- Grain is shipped between August and October.

```python
quay = Quay("east")  # The harbour is not mentioned here.
```

The harbour master reports to the city council. The council decides on harbour fees each spring.
"""

FLEET = """The fishing fleet of Altmark has thirty boats. The fleet sells its catch at the quay before dawn. Quotas have
reduced the fleet by half since 1990."""


async def ask(prompt: str, instructions: str | None = None) -> str:
    result = await Agent(OfflineModel(), instructions=instructions).run(prompt)
    return result.output


def quoted(answer: str) -> list[str]:
    return [line[line.index('"') + 1 : line.rindex('"')] for line in answer.splitlines() if line.count('"') > 1]


@pytest.mark.parametrize("limit", [1, 2, 4])
async def test_a_summary_quotes_exact_sentences_in_order_and_as_many_as_asked(limit: int) -> None:
    answer = await ask(f"Summarise the text in {limit} bullets:\n\n{HARBOUR}")
    quotes = quoted(answer)
    assert len(quotes) == limit
    flat = " ".join(HARBOUR.split())
    assert all(quote in flat for quote in quotes)
    assert [flat.index(quote) for quote in quotes] == sorted(flat.index(quote) for quote in quotes)


async def test_a_summary_takes_what_the_text_is_about_and_nothing_twice() -> None:
    answer = await ask("Summarise this in 3 sentences.\n\n" + HARBOUR + "\n\n" + HARBOUR)
    assert "harbour" in answer.lower()
    assert "Quay(" not in answer
    assert answer.count("opened in 1872") <= 1


async def test_an_answer_quotes_the_sentence_it_rests_on_and_names_its_source() -> None:
    prompt = f"=== docs/harbour.md ===\n{HARBOUR}\n\n=== docs/fleet.md ===\n{FLEET}\n\nWho decides on the fees?"
    answer = await ask(prompt)
    assert answer == '"The council decides on harbour fees each spring." [docs/harbour.md]'


@pytest.mark.parametrize(
    "heading", ["## File: docs/fleet.md", '<document name="docs/fleet.md">', "--- docs/fleet.md ---", "[docs/fleet.md]"]
)
async def test_sources_are_read_from_the_headings_that_people_write(heading: str) -> None:
    answer = await ask(f"How many boats are there?\n\n{heading}\n{FLEET}")
    assert "thirty boats" in answer
    assert "[docs/fleet.md]" in answer


async def test_a_quotation_keeps_its_source_through_a_second_agent() -> None:
    first = await ask(f"Extract 2 key points.\n\n=== docs/fleet.md ===\n{FLEET}")
    second = await ask(f"Write a report on the fleet from these findings.\n\n{first}")
    assert second.startswith("# The fleet")
    assert set(quoted(second)) <= {unit.text for unit in read(FLEET)}
    assert second.count("[docs/fleet.md]") == len(quoted(second)) > 0
    assert "## Sources" in second


async def test_a_question_that_the_text_does_not_touch_is_not_answered() -> None:
    answer = await ask("What is the capital of Peru?\n\n" + FLEET)
    assert answer.startswith("The text does not say")


async def test_a_table_answers_by_its_row() -> None:
    assert "Year: 2020; Ships: 388; Tonnage: 1.7" in await ask("How many ships were there in 2020?\n\n" + HARBOUR)


async def test_the_conversation_is_what_a_question_without_text_is_answered_from() -> None:
    agent = Agent(OfflineModel())
    first = await agent.run("My name is Otto Meier and I live in Bonn.")
    second = await agent.run("What is my name?", message_history=first.all_messages())
    assert "Otto Meier" in second.output


@pytest.mark.parametrize("question", ["Who are you?", "What model is this?", "Are you ChatGPT?"])
async def test_it_says_what_it_is(question: str) -> None:
    answer = await ask(question, "You are a helpful assistant called Ada.")
    assert "offline/extract" in answer
    assert "not a language model" in answer


async def test_it_says_that_there_is_nothing_to_work_on() -> None:
    assert "only the task" in await ask("Write a poem about rivers")


async def test_it_does_not_pretend_to_translate() -> None:
    assert (await ask("Translate this to German:\n\n" + FLEET)).startswith("offline/extract cannot translate")


@pytest.mark.parametrize(
    ("prompt", "role", "choice"),
    [
        ("Choose one of: billing, technical, sales.\n\nMy invoice is wrong, I paid twice.", None, "billing"),
        (
            "How do I get my money back? The invoice shows another amount.",
            "You are a router. Pick one of these routes:\n- refunds: money back, invoices\n- delivery: parcels, lateness",
            "refunds",
        ),
        (
            "The parcel never came.",
            "You are a router. Pick one of these routes:\n- refunds: money back, invoices\n- delivery: parcels, lateness",
            "delivery",
        ),
        ("Is this review positive, negative or neutral? One word.\n\nAwful food and slow service.", None, "negative"),
        ("Classify the ticket. Categories: bug, feature request, other.\n\nLovely weather.", None, "other"),
    ],
)
async def test_a_choice_is_made_by_the_words_of_the_text(prompt: str, role: str | None, choice: str) -> None:
    assert await ask(prompt, role) == choice


async def test_a_score_rises_with_what_is_covered() -> None:
    task = "Score the draft from 0 to 10 on how it covers retries, timeouts and budgets.\n\nDraft: "
    poor = await ask(task + "The engine is written in Python.")
    good = await ask(task + "Retries back off, timeouts end a step and budgets stop a run.")
    assert poor.startswith("Score: 0 of 10")
    assert good.startswith("Score: 10 of 10")
    assert "'timeouts'" in poor


async def test_subtasks_are_the_parts_of_the_task() -> None:
    answer = await ask(
        "Break this down into subtasks: read the two licences, compare their patent clauses and write it up."
    )
    assert answer.splitlines() == [
        "1. read the two licences",
        "2. compare their patent clauses",
        "3. write it up",
    ]


async def test_the_same_request_gives_the_same_reply() -> None:
    prompt = f"Write a report on Altmark.\n\n=== a.md ===\n{HARBOUR}\n\n=== b.md ===\n{FLEET}"
    assert len({await ask(prompt) for _ in range(3)}) == 1


async def test_max_tokens_cuts_the_reply_and_says_so() -> None:
    agent = Agent(OfflineModel(settings={"max_tokens": 12}))
    result = await agent.run("Summarise:\n\n" + HARBOUR)
    assert count_pieces(result.output) <= 12
    assert result.usage.output_tokens <= 12
    assert result.response.finish_reason == "length"


async def test_a_stream_gives_the_same_words_one_by_one() -> None:
    agent = Agent(OfflineModel())
    whole = await agent.run("Summarise:\n\n" + HARBOUR)
    async with agent.run_stream("Summarise:\n\n" + HARBOUR) as stream:
        deltas = [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]
    assert "".join(deltas) == whole.output
    assert len(deltas) > 20
    assert stream.usage.output_tokens == whole.usage.output_tokens > 0


async def test_tokens_are_counted_on_both_sides() -> None:
    result = await Agent(OfflineModel()).run("Summarise:\n\n" + HARBOUR)
    assert result.usage.input_tokens >= count_pieces(HARBOUR)
    assert result.usage.output_tokens == count_pieces(result.output)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "x" * 1_000_000,
        "a. " * 300_000,
        "| a | b |\n" * 100_000,
        "{" * 500_000,
        "# h\n" * 100_000,
        "\n" * 1_000_000,
    ],
    ids=["no stops", "one word", "tiny sentences", "a table", "brackets", "headings", "empty lines"],
)
async def test_a_megabyte_is_read_in_seconds(text: str) -> None:
    started = time.process_time()
    await ask("Summarise, and what does it say about harbours?\n\n" + text)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He met Mr. A. B. Smith at 3.30 p.m. on Monday. It rained.", 2),
        ("Use e.g. a rope, i.e. a line, etc. for it. Done.", 2),
        ("Version 1.2.3 costs $4.50. Is it worth it? Yes!", 3),
        ("She said: “Stop.” Then she left.", 2),
        ("これは文です。次の文です。", 2),
        ("no capital follows. here it goes on", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_they_end(text: str, sentences: int) -> None:
    assert len(read(text)) == sentences


def test_structure_is_told_from_text() -> None:
    units: list[Any] = read(HARBOUR)
    kinds = [unit.kind for unit in units]
    assert kinds.count("heading") == 2
    assert kinds.count("row") == 2
    assert kinds.count("item") == 2
    assert kinds.count("code") == 1
    assert next(unit for unit in units if unit.kind == "item").heading == "Traffic today"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_what_is_quoted_stands_in_the_text(text: str) -> None:
    flat = plain(text.replace("|", " "))
    for unit in read(text):
        if unit.kind == "prose":
            assert all(word in flat for word in unit.text.replace("|", " ").split())


LIGHT = (
    "The lighthouse was built in 1881 by Anna Berg. The pier is 120 metres long. In winter the ferry does not sail because of"
    " ice."
)


@pytest.mark.parametrize(
    "prompt",
    [
        "Who built the lighthouse?\nThe lighthouse was built in 1881 by Anna Berg.",
        f"{LIGHT}\nWho built the lighthouse?",
        f"Given the text below, who built the lighthouse?\n\n{LIGHT}",
        f"Using only the following passage, who built the lighthouse?\n{LIGHT}",
    ],
)
async def test_a_question_is_told_from_the_text_wherever_it_stands(prompt: str) -> None:
    assert await ask(prompt) == '"The lighthouse was built in 1881 by Anna Berg."'


async def test_a_question_in_another_script_is_no_evidence() -> None:
    said = await ask("灯塔是谁建的？\n\n灯塔由安娜于1881年建造。港口很深。")  # noqa: RUF001 -- it is meant
    assert "灯塔由安娜于1881年建造" in said
    assert "谁" not in said


@pytest.mark.parametrize(
    ("prompt", "chosen"),
    [
        (
            "Classify the following ticket as billing, technical or general:\n\nMy invoice shows a charge twice.",
            "billing",
        ),
        (
            "Classify the ticket into one of: billing, technical, general. Ticket: The app crashes when I log in.",
            "technical",
        ),
        ("Label this mail as urgent, normal, or spam.\n\nThe server is down, this is urgent.", "urgent"),
    ],
)
async def test_what_something_is_to_be_sorted_into_is_chosen_from(prompt: str, chosen: str) -> None:
    assert await ask(prompt) == chosen

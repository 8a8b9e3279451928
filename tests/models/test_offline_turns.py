"""In a group the offline model hands over once, by shared words, and speaks for what its instructions say."""

from __future__ import annotations

import json

from weft.models.offline.turns import turn_of

OFFER = (
    "Answer it yourself or, if it is not yours to answer, hand the conversation over to one of these:\n"
    "- money: tickets, invoices, refunds\n- crew: ships and lost property\n"
    'To hand over, answer with JSON and nothing else: {"handoff": "<money | crew>", "reason": "<why>", "message": ""}'
)
WISH = "I paid for one ticket. My card was charged twice."


def test_it_hands_over_to_whom_the_question_is_about_and_says_by_which_words():
    turn = turn_of(f"{WISH}\n\n{OFFER}", "You know the timetable.")
    said = json.loads(turn.answer)
    assert (said["handoff"], said["reason"]) == ("money", "the question speaks of ticket")
    assert turn.question == WISH


def test_it_answers_what_is_its_own_and_what_was_handed_to_it():
    assert turn_of(f"{WISH}\n\n{OFFER}", "You sell tickets and look after each card.").answer is None
    assert turn_of(f"Where is the harbour?\n\n{OFFER}", "You know the timetable.").answer is None
    taken = turn_of(f"desk has handed this conversation over to you, because: it is a ticket.\n\n{WISH}\n\n{OFFER}", "")
    assert (taken.answer, taken.question) == (None, WISH)
    assert turn_of(f"{WISH}\n\nAnswer it yourself.", "").question == WISH


def test_in_a_debate_it_speaks_for_its_instructions_and_takes_no_words_of_the_others():
    form = "Say what you have to say, and end with one line: Position: <what you stand for now>"
    text = "A bridge or a ferry? The bridge costs nine million. The ferry is slow."
    last = "What was said in the last round:\nbuilder: bridges fall down.\n\n"
    for prompt in (f"{text}\n\n{form}", f"{text}\n\n{last}{form}"):
        said = turn_of(prompt, "You argue for the ferry.").answer
        assert said == '- "The ferry is slow."\nPosition: The ferry is slow.'


def test_any_other_prompt_is_no_turn():
    assert turn_of("Summarise this.", "You read.") is None

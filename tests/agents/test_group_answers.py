"""What groups compute of what their members say: votes, boards, handoffs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.agents.swarm import board, handoff, statements, votes
from weft.agents.swarm.answers import as_object, choice_of, ids
from weft.core.errors import BudgetError, LimitError, ProviderError, RejectedError

SEATS = [{"name": name, "agent": name, "weight": weight} for name, weight in (("a", 1), ("b", 1), ("c", 3))]


def spoke(*responses):
    return {"asked": {seat["name"]: {"response": said} for seat, said in zip(SEATS, responses, strict=False)}}


def counted(rule, *responses, choices=("yes", "no"), **more):
    return votes.count({"seats": SEATS, "choices": choices, "rule": rule} | more, spoke(*responses), "")


@pytest.mark.parametrize(
    ("rule", "responses", "more", "winner"),
    [
        ("majority", ("yes", "yes", "no"), {}, "yes"),
        ("majority", ("yes", "no", "perhaps"), {}, None),
        ("majority", ("yes", "perhaps", "perhaps"), {}, None),
        ("plurality", ("yes", "perhaps", "perhaps"), {}, "yes"),
        ("plurality", ("yes", "no", "perhaps"), {}, None),
        ("weighted", ("yes", "yes", "no"), {}, "no"),
        ("unanimous", ("yes", "yes", "yes"), {}, "yes"),
        ("unanimous", ("yes", "yes", "perhaps"), {}, None),
        ("quorum", ("yes", "yes", "no"), {"quorum": 2}, "yes"),
        ("quorum", ("yes", "yes", "no"), {"quorum": 3}, None),
        ("quorum", ("yes", "yes", "no"), {}, "yes"),
        ("judge", ("yes", "yes", "yes"), {}, None),
    ],
)
def test_each_rule_names_its_winner_or_nobody(rule, responses, more, winner):
    assert counted(rule, *responses, **more)["winner"] == winner


def test_free_answers_that_differ_only_in_form_are_one():
    value = counted("majority", "Blue.", "  blue\nbecause it is", '{"choice": "BLUE"}', choices=None)
    assert value["tally"] == {"Blue.": 3}
    assert value["winner"] == "Blue."


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("yes", "yes"),
        ("YES!", "yes"),
        ("I say yes.", "yes"),
        ("yes with changes", "yes with changes"),
        ("Definitely: **Yes, with changes**", "yes with changes"),
        ("yes or no", None),
        ("eyes", None),
        ("", None),
        ('{"choice": "no"}', "no"),
        ('```json\n{"vote": "no"}\n```', "no"),
        ('well {"x": 1', None),
        ({"answer": "No"}, "no"),
        ({"other": "no"}, None),
        (None, None),
        (7, None),
    ],
)
def test_a_choice_is_read_wherever_it_stands_and_never_guessed(said, choice):
    options = ["yes", "no", "yes with changes"]
    assert choice_of(said, options, "choice", "vote", "answer") == choice


@given(st.text(max_size=300))
def test_no_answer_breaks_the_reader(text):
    assert choice_of(text, ["yes", "no"], "choice") in {"yes", "no", None}
    assert as_object(text) is None or isinstance(as_object(text), dict)


@given(
    st.dictionaries(st.text(max_size=8), st.integers(), max_size=4),
    st.sampled_from(["{}", "so {} it is", "```json\n{}\n```"]),
)
def test_an_object_is_found_in_any_wrapping(value, wrapping):
    assert as_object(wrapping.replace("{}", json.dumps(value), 1)) == value


def test_a_vote_without_a_winner_is_rejected_with_its_tally():
    last = counted("majority", "yes", "no", "perhaps")
    with pytest.raises(RejectedError, match="no winner by the rule 'majority'.*yes: 1"):
        votes.result({"rule": "majority", "choices": ["yes", "no"]}, {"last": last, "rounds": 1}, "")


def test_a_judge_decides_only_among_the_choices():
    last = counted("majority", "yes", "no", "perhaps")
    settings = {"rule": "majority", "choices": ["yes", "no"]}
    ruled = votes.result(settings, {"last": last, "rounds": 2, "ruling": {"response": "No."}}, "")
    assert (ruled["response"], ruled["decided_by"], ruled["rounds"]) == ("no", "judge", 2)
    with pytest.raises(RejectedError):
        votes.result(settings, {"last": last, "rounds": 2, "ruling": {"response": "maybe"}}, "")


def failed(error):
    return {"status": "failed", "response": "", "error": error.as_json()}


def test_a_member_that_failed_has_no_vote_and_a_spent_budget_ends_the_count():
    settings = {"seats": SEATS, "choices": ["yes", "no"], "rule": "plurality"}
    asked = spoke("yes", "no", "no")["asked"] | {"a": failed(ProviderError("away"))}
    value = votes.count(settings, {"asked": asked}, "")
    assert [vote["choice"] for vote in value["votes"]] == [None, "no", "no"]
    with pytest.raises(BudgetError, match="used up"):
        votes.count(settings, {"asked": asked | {"b": failed(BudgetError("used up"))}}, "")
    with pytest.raises(ProviderError, match="away"):
        votes.count(settings, {"asked": dict.fromkeys("abc", failed(ProviderError("away")))}, "")


def test_members_of_a_crowd_are_heard_in_order():
    seats = [{"name": "v", "agent": "x", "weight": 1.0, "count": 3}]
    assert ids(seats[0]) == ["v-1", "v-2", "v-3"]
    asked = {"v": [{"response": "yes"}, {"response": "no", "data": {"choice": "yes"}}, {"response": "no"}]}
    value = votes.count({"seats": seats, "choices": ["yes", "no"], "rule": "majority"}, {"asked": asked}, "")
    assert [(vote["member"], vote["choice"]) for vote in value["votes"]] == [
        ("v-1", "yes"),
        ("v-2", "yes"),
        ("v-3", "no"),
    ]


def test_a_debate_is_agreed_when_all_positions_say_the_same():
    settings = {"seats": SEATS, "max_chars": 100}
    value = statements.listen(
        settings, spoke("x\nPosition: Left!", {"statement": "y", "position": "left"}, "position: LEFT"), ""
    )
    assert (value["agreed"], value["position"]) == (True, "Left!")
    assert not statements.listen(settings, spoke("x\nPosition: left", "y", "z"), "")["agreed"]
    assert not statements.listen(settings, spoke("x", "y", "z"), "")["agreed"], "to say nothing is not to agree"
    assert len(statements.listen(settings, spoke("x" * 1_000, "y", "z"), "")["statements"][0]["text"]) == 100


BOARD = {name: {"text": "old", "version": 3, "by": "a"} for name in ("plan", "risks")}
WRITERS = [{"name": name, "writes": ["plan", "risks"]} for name in ("a", "b")]


def written(**responses):
    asked = {name: {"response": said} for name, said in responses.items()}
    return board.merge({"writers": WRITERS}, {"board": BOARD, "asked": asked}, "")


def test_of_two_that_write_one_section_the_first_wins_and_the_other_gets_news():
    value = written(a='{"plan": "mine"}', b='{"plan": "yours", "risks": "none"}')
    assert value["changes"]["plan"] == {"text": "mine", "version": 4, "by": "a"}
    assert value["changes"]["risks"]["by"] == "b"
    assert value["conflicts"] == [{"section": "plan", "lost": "b", "won": "a"}]
    assert value["news"] == {"a": True, "b": True}
    assert not value["stable"]


@pytest.mark.parametrize("said", ["{}", '{"plan": "old"}', '{"elsewhere": "x"}', '{"plan": 7}', "nothing to add", None])
def test_what_changes_nothing_leaves_the_board_stable(said):
    value = written(a=said)
    assert (value["stable"], value["changes"], value["news"]) == (True, {}, {"a": False, "b": False})


def test_plain_words_are_written_by_the_only_writer_of_a_section():
    one = [{"name": "a", "writes": ["plan"]}]
    asked = {"a": {"response": "A new plan.", "data": None}}
    value = board.merge({"writers": one}, {"board": BOARD, "asked": asked}, "")
    assert value["changes"]["plan"]["text"] == "A new plan."


def test_a_board_that_never_rests_can_be_an_error():
    last = {"stable": False, "done": False, "changes": {"plan": {}}}
    given = {"board": BOARD, "last": last, "rounds": 4}
    with pytest.raises(LimitError, match="after 4 rounds: plan"):
        board.result({"sections": ["plan"], "on_limit": "fail"}, given, "")
    assert board.result({"sections": ["plan"], "on_limit": "finish"}, given, "")["stable"] is False


DESKS = {"allowed": {"a": ["b"], "b": ["a"]}, "max_handoffs": 2}


def passed(at, said, *chain):
    steps = [{"from": one, "to": other, "reason": "", "message": ""} for one, other in chain]
    return handoff.pass_on(DESKS, {"at": at, "chain": steps, "turn": {"response": said}}, "")


def test_an_answer_ends_the_turns_and_a_handoff_goes_on():
    assert passed("a", "It is done.")["response"] == "It is done."
    assert passed("a", '{"answer": "42"}')["response"] == "42"
    value = passed("a", 'Not mine: {"handoff": "b", "reason": "why", "message": "what"}')
    assert (value["done"], value["to"]) == (False, "b")
    assert value["chain"] == [{"from": "a", "to": "b", "reason": "why", "message": "what"}]


def test_handing_over_to_others_in_circles_or_too_often_fails():
    with pytest.raises(RejectedError, match="'c', which it may not"):
        passed("a", '{"handoff": "c"}')
    with pytest.raises(LimitError, match="in circles: a → b → a → b"):
        passed("a", '{"handoff": "b"}', ("a", "b"), ("b", "a"))
    with pytest.raises(LimitError, match="more than 2 handoffs"):
        passed("a", '{"handoff": "b"}', ("x", "y"), ("y", "a"))

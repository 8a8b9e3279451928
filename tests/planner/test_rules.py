"""What holds for every plan, whoever writes it and whatever is asked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planner.cases import all_cases
from weft.core.errors import InputError
from weft.plan.nodes import Plan, Sequence
from weft.plan.planner.build import milestones, plan_of
from weft.plan.planner.cards import Card
from weft.plan.planner.draft import Draft, Step, draft_of, problems
from weft.plan.planner.editing import read, written
from weft.plan.planner.keys import key_of
from weft.plan.planner.match import Matcher
from weft.plan.planner.optimise import optimised
from weft.plan.planner.rules import propose

CASES = all_cases()
CARDS = next(case.cards for case in CASES if case.domain == "research")
NAMES = [card.id for card in CARDS]
WORDS = st.sampled_from(
    "research write translate summarize verify it them the tea article report then and , . before after first finally "
    "both \n - 1. while next once ; in parallel please \u2019 {{ x }} %".split(" ")
)
REQUESTS = st.one_of(st.lists(WORDS, max_size=40).map(" ".join), st.text(max_size=200))


@given(REQUESTS)
def test_any_request_becomes_a_plan_that_can_be_carried_out_or_says_why_not(request):
    proposal = propose(request, CARDS, count=5)
    assert bool(proposal.drafts) != bool(proposal.questions or proposal.missing)
    for draft in proposal.drafts:
        assert problems(draft.as_json(), NAMES) == []
        marks = milestones(draft)
        assert sorted(name for mark in marks for name in mark["steps"]) == sorted(step.id for step in draft.steps)
        plan = plan_of(draft, request, Plan(workflow="w", root=Sequence(name="", children=())))
        assert plan == plan_of(draft_of(draft.as_json()), request, Plan(workflow="w", root=plan.root))
    assert proposal == propose(request, CARDS, count=5)
    assert all(one.steps != other.steps for one, other in pairwise(proposal.drafts))


@st.composite
def drafts(draw):
    count = draw(st.integers(1, 8))
    steps = []
    for place in range(count):
        after = draw(st.lists(st.sampled_from([f"s{at}" for at in range(place)]), unique=True)) if place else []
        task = draw(st.sampled_from(["Write.", "Write it: all.", "# a", "- b", "'c'", "\u00e4\u4e2d {{ x }}"]))
        steps.append(Step(id=f"s{place}", agent=draw(st.sampled_from(NAMES)), task=task, after=tuple(after)))
    return Draft(steps=tuple(steps))


def needed(draft):
    before = {}
    for step in draft.steps:
        before[step.id] = set(step.after).union(*(before[name] for name in step.after))
    return before


@given(drafts())
def test_a_draft_can_be_written_out_and_read_back(draft):
    found, wrong = read(written(draft), NAMES, 50)
    assert wrong == []
    assert found.steps == draft.steps


@given(drafts())
def test_a_better_draft_keeps_who_does_what_in_which_order(draft):
    better = optimised(draft)
    assert {(step.agent, step.task) for step in better.steps} == {(step.agent, step.task) for step in draft.steps}
    assert len(better.waves()) <= len(draft.waves())
    if len(better.steps) == len(draft.steps):
        assert needed(better) == needed(draft)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x)
    )
)
@pytest.mark.slow
def test_any_data_is_judged_without_a_crash(data):
    assert problems(data, NAMES)
    assert problems({"steps": [data]}, NAMES)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([{"id": "a", "agent": "ghost", "task": "x"}], "no agent 'ghost'"),
        ([{"id": "a", "agent": "writer", "task": "x"}] * 2, "used twice"),
        ([{"id": "a", "agent": "writer", "task": "x", "after": ["b"]}], "no step"),
        ([{"id": "a", "agent": "writer", "task": "x", "after": ["a"]}], "circle"),
        ([{"id": "a/b", "agent": "writer", "task": "x"}], "other signs"),
        ([{"id": "a", "agent": "writer", "task": "x" * 5000}], "longer than"),
        ([{"id": "combine", "agent": "writer", "task": "x"}], "taken"),
        ([], "at least one step"),
    ],
)
def test_what_is_wrong_with_a_draft_is_named(steps, problem):
    assert problem in problems({"steps": steps}, NAMES)[0]


def test_a_draft_may_not_have_more_steps_than_allowed():
    steps = [{"id": f"s{place}", "agent": "writer", "task": "x"} for place in range(4)]
    assert problems({"steps": steps}, NAMES, 4) == []
    assert "more than 3" in problems({"steps": steps}, NAMES, 3)[0]


@pytest.mark.parametrize("part", ["write it, ", "write tea and ", "Research tea. ", "- verify x\n"])
def test_a_request_with_too_many_tasks_is_refused_at_once(part):
    with pytest.raises(InputError, match="more than 60 tasks"):
        propose(part * 1_000, CARDS)


def test_alternatives_differ_in_what_they_are_good_at():
    found = propose("Research tea, write an article and verify the claims.", CARDS, count=5).drafts
    assert [draft.why for draft in found][:2] == ["as asked", "more at once: only the order that was asked for"]
    assert [len(draft.waves()) for draft in found][:2] == [3, 1]


def test_one_agent_that_does_two_things_in_a_row_can_do_them_in_one_step():
    found = propose("Research tea, then research coffee.", CARDS, count=2).drafts
    assert [len(draft.steps) for draft in found] == [2, 1]


def test_an_agent_is_known_by_what_it_can_do_before_what_is_said_of_it():
    cards = [Card(id="a", description="Talks about birds."), Card(id="b", capabilities=("birds",))]
    assert Matcher(cards).best("count birds") == "b"


def test_the_key_of_a_request_follows_what_it_means():
    def key(request="Write.", cards=CARDS, **settings):
        return key_of(request, cards, settings, {})

    assert key() == key("  write ")
    assert key() != key("Write it")
    assert key() != key(cards=CARDS[1:])
    assert key() != key(alternatives=2)
    assert key("a\nb") != key("a b")

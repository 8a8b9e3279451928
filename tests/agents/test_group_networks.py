"""Gossip and consensus as pure functions: they converge, and never decide twice, whatever is cut or lost."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from weft.agents.swarm import ballots, gossip
from weft.agents.swarm.network import contacts, from_hex, groups, to_hex

PARTITION = {"partitions": [{"first": 2, "last": 6, "groups": 2}], "loss": 0.0}


def crowd(count):
    return [{"name": "m", "agent": "m", "weight": 1.0, "count": count}]


def spread(count, facts, network, *, fanout=2, rounds=60, seed="s"):
    """The states after each round, until all have heard everything."""
    how = {"seats": crowd(count), "fanout": fanout, "network": network, "judges": False}
    state = gossip.begin(how, {"facts": facts}, seed)
    states = [state]
    for number in range(rounds):
        state = gossip.exchange(
            how, {"state": state, "facts": state.get("facts"), "iteration": number}, f"{seed}{number}"
        )
        states.append(state)
        if state["converged"]:
            break
    return states


def test_a_thousand_members_hear_everything_in_few_rounds():
    states = spread(1_000, ["x", "y", "z"], {})
    assert states[-1]["converged"]
    assert len(states) - 1 <= 10


def test_a_partition_keeps_facts_on_their_side_until_it_heals():
    states = spread(
        1_000, [f"fact {number}" for number in range(1_000)], {"partitions": [{"first": 1, "last": 8, "groups": 2}]}
    )
    left = (1 << 500) - 1
    for state in states[1:9]:
        assert state["groups"] == 2
        known = from_hex(state["known"])
        assert all(each & ~left == 0 for each in known[:500]), "nothing has crossed"
        assert not state["converged"]
    assert states[-1]["converged"]
    assert 9 < len(states) <= 20


@settings(max_examples=examples(40), deadline=None)
@given(
    count=st.integers(2, 60),
    facts=st.integers(1, 20),
    loss=st.floats(0, 0.6),
    first=st.integers(1, 5),
    length=st.integers(0, 6),
    parts=st.integers(2, 5),
    seed=st.integers(),
)
def test_gossip_converges_once_the_partition_has_healed(count, facts, loss, first, length, parts, seed):
    network = {"partitions": [{"first": first, "last": first + length, "groups": parts}], "loss": loss}
    states = spread(count, [str(number) for number in range(facts)], network, rounds=400, seed=str(seed))
    assert states[-1]["converged"]
    for before, after in zip(states, states[1:], strict=False):
        pairs = zip(from_hex(before["known"]), from_hex(after["known"]), strict=True)
        assert all(old & ~new == 0 for old, new in pairs), "nobody forgets"


@given(st.lists(st.integers(0, 2**200), max_size=20))
def test_sets_come_back_from_the_form_that_the_journal_has(sets):
    assert from_hex(to_hex(sets)) == sets


@given(count=st.integers(1, 200), fanout=st.integers(1, 5), parts=st.integers(2, 6), seed=st.text(max_size=5))
def test_members_meet_others_of_their_own_group_only(count, fanout, parts, seed):
    network = {"partitions": [{"first": 1, "last": 1, "groups": parts}]}
    where = {place: number for number, group in enumerate(groups(network, count, 1)) for place in group}
    assert sorted(where) == list(range(count))
    pairs = list(contacts(network, count, 1, fanout, seed))
    assert all(one != other and where[one] == where[other] for one, other in pairs)
    assert pairs == list(contacts(network, count, 1, fanout, seed))


def agree(count, network, draw, *, stubborn=0.4, limit=200, choices=("red", "green", "blue")):
    """The states after each ballot with members that mostly follow whoever leads."""
    how = {"seats": crowd(count), "choices": list(choices), "quorum": None, "fanout": 2, "network": network}
    state, states = None, []
    for number in range(limit):
        given_ = {"state": state, "iteration": number}
        call = ballots.call(how, given_, "")
        said = []
        for item in call["ask"]["m"]:
            tally = call["tallies"][item["group"]]
            follows = tally and draw.random() > stubborn
            said.append({"response": tally[0]["choice"] if follows else draw.choice(choices)})
        state = ballots.count(how, given_ | {"ask": call["ask"], "asked": {"m": said}}, f"{draw.random()}")
        states.append(state)
        if state["done"]:
            break
    return states


def test_a_thousand_members_agree_only_after_the_partition_has_healed():
    states = agree(1_000, {"partitions": [{"first": 1, "last": 5, "groups": 2}]}, random.Random(1))
    assert [state["decision"] for state in states[:5]] == [None] * 5, "no half has a quorum"
    assert states[-1]["done"]
    assert len(states) <= 15
    assert from_hex([states[-1]["knows"]])[0] == (1 << 1_000) - 1


def test_the_larger_side_decides_and_the_smaller_one_hears_of_it_later():
    network = {"partitions": [{"first": 1, "last": 12, "groups": 3}]}
    how = {"seats": crowd(9), "choices": ["x", "y"], "quorum": None, "fanout": 2, "network": {"partitions": []}}
    call = ballots.call(how, {"state": None, "iteration": 0}, "")
    said = [{"response": "x"}] * 6 + [{"response": "y"}] * 3
    state = ballots.count(how, {"state": None, "iteration": 0, "ask": call["ask"], "asked": {"m": said}}, "s")
    assert (state["decision"], state["done"]) == ("x", True)
    cut = agree(9, network, random.Random(2))
    assert cut[11]["decision"] is None
    assert cut[-1]["done"]


@settings(max_examples=examples(150), deadline=None)
@given(
    count=st.integers(1, 15),
    loss=st.floats(0, 0.7),
    cuts=st.lists(st.tuples(st.integers(1, 10), st.integers(0, 4), st.integers(2, 4)), max_size=4),
    seed=st.integers(),
)
def test_there_is_never_a_second_decision(count, loss, cuts, seed):
    """Members vote at random in every ballot, also after a decision; messages are lost, groups change: one value stays."""
    draw = random.Random(seed)
    network = {"loss": loss, "partitions": [{"first": a, "last": a + b, "groups": c} for a, b, c in cuts]}
    how = {"seats": crowd(count), "choices": ["red", "blue"], "quorum": None, "fanout": 2, "network": network}
    ask = {"m": [{"member": f"m-{number}", "group": 0} for number in range(1, count + 1)]}
    state, decided = None, set()
    for number in range(40):
        leaning = draw.random()
        said = [{"response": "red" if draw.random() < leaning else "blue"} for _ in range(count)]
        given_ = {"state": state, "iteration": number, "ask": ask, "asked": {"m": said}}
        state = ballots.count(how, given_, f"{seed}/{number}")
        if state["decision"] is not None:
            decided.add(state["decision"])
            value = state["choices"].index(state["decision"])
            assert sum(each[1] == value for each in state["accepted"]) >= count // 2 + 1
    assert len(decided) <= 1


@settings(max_examples=examples(50), deadline=None)
@given(count=st.integers(1, 40), loss=st.floats(0, 0.3), last=st.integers(1, 10), seed=st.integers())
def test_members_that_listen_to_each_other_decide_after_the_healing(count, loss, last, seed):
    network = {"loss": loss, "partitions": [{"first": 1, "last": last, "groups": 2}]}
    states = agree(count, network, random.Random(seed), stubborn=0.1, limit=400)
    assert states[-1]["done"]

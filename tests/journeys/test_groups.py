"""Groups of agents through the real command line: they vote, debate, hand over and write one board, over a real wire format."""

import json

import pytest

from tests.journeys.conftest import flow
from weft.testing.providers import FakeProvider, fail, say

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(near_desk):
    """Its commands run in this process: what groups say to each other is no matter of processes."""
    return near_desk


NONE = "  failure_policy: {retries: 0}\n"
VOTE = """\
inputs: {required: {plan: string}}
agents: {bold: {prompt: You are bold.}, careful: {prompt: You are careful.}, judge: {prompt: You are the judge.}}
pattern:
  type: vote
  config:
    agents: [bold, careful, {agent: careful, id: twin, count: 2}]
    input: 'Shall we do this? {{ plan }}'
    choices: [go ahead, wait]
    rule: %s
outputs: {artifacts: [{path: votes.md, from: '{% for vote in votes %}{{ vote.member }}={{ vote.choice }}:{{ vote.reason }};{% endfor %} {{ winner }} {{ tally | tojson }}'}]}
"""


def voter(request):
    if "You are the judge." in request.text:
        return say('```json\n{"choice": "Go ahead", "reason": "time"}\n```')
    if "You are bold." in request.text:
        return say('I think so. {"choice": "go ahead", "reason": "fun"}')
    return say('{"choice": "WAIT", "reason": "risk"}')


def test_a_majority_wins_and_everybody_was_asked_the_same(desk):
    desk.write("flow.yaml", flow(VOTE.replace("%s", "majority", 1)))
    with FakeProvider("openai", voter) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "plan=sail at night")
        assert len(fake.requests) == 4
        assert all("Shall we do this? sail at night" in request.text for request in fake.requests)
        assert all("go ahead | wait" in request.text for request in fake.requests)
    assert (said.code, said.out) == (0, "wait\n"), said.all
    shown = desk.read("artifacts/votes.md")
    assert (
        shown
        == 'bold=go ahead:fun;careful=wait:risk;twin-1=wait:risk;twin-2=wait:risk; wait {"go ahead": 1, "wait": 3}'
    )
    assert "round[0]" in desk("show", "last").out
    assert desk("replay", "last").code == 0


def test_no_unanimity_is_a_rejection_unless_a_judge_decides(desk):
    desk.write("flow.yaml", flow(VOTE.replace("%s", "unanimous", 1)))
    desk.write("judged.yaml", flow(VOTE.replace("%s", "unanimous\n    judge: {agent: judge}", 1)))
    with FakeProvider("openai", voter) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "plan=x")
        assert said.code == 10
        assert "the vote has no winner by the rule 'unanimous' (go ahead: 1, wait: 3)" in said.all
        assert "fix: give the vote more `rounds`" in said.all
        assert desk("run", "flow.yaml", "--var", "plan=x", "--json").json["error"]["code"] == "rejected"
        said = desk("run", "judged.yaml", "--var", "plan=x", "--force")
        assert "bold: go ahead (fun)" in fake.requests[-1].text
    assert (said.code, said.out) == (0, "go ahead\n"), said.all


def test_an_answer_without_a_vote_is_asked_for_again_and_then_read_as_it_is(desk):
    desk.write("flow.yaml", flow(VOTE.replace("%s", "plurality", 1)))

    def brain(request):
        return say("WAIT!" if "cannot be used" in request.prompt else "I would rather wait.")

    with FakeProvider("openai", brain) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "plan=x")
        assert len(fake.requests) == 8, said.all
    assert (said.code, said.out) == (0, "wait\n"), said.all


DEBATE = """\
agents: {left: {prompt: You are left.}, right: {prompt: You are right.}, judge: {prompt: You sum up.}}
pattern:
  type: debate
  config:
    agents: [left, right]
    input: Which way round the lake?
    rounds: 5
    judge: {agent: judge}
outputs: {artifacts: [{path: debate.md, from: '{% for each in transcript %}{{ each.member }}: {{ each.text }}|{% endfor %}'}]}
"""


def speaker(request):
    """The right gives in when it has heard the left."""
    if "You sum up." in request.text:
        return say("Both go left in the end.")
    if "You are left." in request.text:
        return say("The left is shorter.\nPosition: left")
    return say(
        "True.\nPosition: Left." if "The left is shorter." in request.text else "The right is dry.\nPosition: right"
    )


def test_a_debate_ends_when_all_agree_and_the_judge_has_heard_everything(desk):
    desk.write("flow.yaml", flow(DEBATE))
    with FakeProvider("openai", speaker) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
        assert len(fake.requests) == 5, "two rounds of two, and the judge"
        assert "The right is dry." in fake.requests[-1].text
        second = next(request for request in fake.requests[2:4] if "You are right." in request.text)
        assert len(second.body["messages"]) == 2, "a debater carries no growing conversation"
    assert (said.code, said.out) == (0, "Both go left in the end.\n"), said.all
    assert desk.read("artifacts/debate.md").count("|") == 4


HANDOFF = """\
inputs: {required: {wish: string}}
agents: {desk: {prompt: You are the desk.}, money: {prompt: You are money.}, tech: {prompt: You are tech.}}
pattern:
  type: handoff
  config:
    start: desk
    agents:
      desk: {to: [money, tech], description: hears everybody first}
      money: {to: [tech], description: invoices and refunds}
      tech: {to: [%s], description: what is broken}
outputs: {artifacts: [{path: way.md, from: '{% for each in handoffs %}{{ each.from }}>{{ each.to }} {% endfor %}by {{ answered_by }}'}]}
"""


def clerk(request):
    if "You are the desk." in request.text:
        return say('{"handoff": "money", "reason": "it is about an invoice", "message": "invoice 7"}')
    if "You are money." in request.text:
        return say('{"handoff": "tech", "reason": "the printer is broken"}')
    if '"handoff"' in request.body["messages"][-1]["content"]:
        return say('{"handoff": "desk", "reason": "not mine"}')
    return say("Turn it off and on again.")


def test_a_conversation_is_handed_over_with_its_history_and_the_chain_is_shown(desk):
    desk.write("flow.yaml", flow(HANDOFF.replace("%s", "")))
    with FakeProvider("openai", clerk) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "wish=print my invoice")
        last = fake.requests[-1]
        assert "You are tech." in last.text
        assert [m["role"] for m in last.body["messages"]].count("assistant") == 2, "it has the whole conversation"
        assert "invoice 7" in fake.requests[1].prompt
    assert (said.code, said.out) == (0, "Turn it off and on again.\n"), said.all
    assert desk.read("artifacts/way.md") == "desk>money money>tech by tech"
    page = desk("show", "last").all
    assert "handed over: desk -> money (it is about an invoice) -> tech (the printer is broken)" in page
    (chain,) = desk("show", "last", "--json").json["handoffs"]
    assert [(each["from"], each["to"]) for each in chain] == [("desk", "money"), ("money", "tech")]


def test_a_conversation_that_goes_in_circles_is_stopped(desk):
    desk.write("flow.yaml", flow(HANDOFF.replace("%s", "desk")))
    with FakeProvider("openai", clerk) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "wish=x")
        assert len(fake.requests) == 4
    assert said.code == 10
    assert "the conversation goes in circles: desk → money → tech → desk → money" in said.all


BOARD = """\
agents: {planner: {prompt: You plan.}, critic: {prompt: You criticise.}}
pattern:
  type: blackboard
  config:
    input: Plan a trip.
    sections: {plan: {description: the days}, risks: {initial: none yet}}
    agents:
      - {agent: planner, writes: [plan]}
      - {agent: critic, writes: [risks], when: board.plan.version > 0}
outputs: {artifacts: [{path: board.md, from: '{{ last_response }}'}, {path: v.txt, from: 'v{{ board.plan.version }} {{ board.plan.by }} {{ stable }}'}]}
"""


def writer(request):
    text = request.text
    if "You plan." in text:
        if "fog in the morning" in text:
            return say('{"plan": "leave at noon"}')
        return say("{}" if "leave at" in text else '{"plan": "leave at dawn", "risks": "not yours"}')
    return say(
        '{"risks": "fog in the morning"}' if "at dawn" in text else '{"risks": "none left"}' if "fog" in text else "{}"
    )


def test_a_board_is_written_until_nobody_changes_it(desk):
    desk.write("flow.yaml", flow(BOARD))
    with FakeProvider("openai", writer) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
    assert said.code == 0, said.all
    assert desk.read("artifacts/board.md") == "## plan\n\nleave at noon\n\n## risks\n\nnone left"
    assert desk.read("artifacts/v.txt") == "v2 planner True"


@pytest.mark.parametrize(
    ("text", "brain"), [(VOTE, voter), (DEBATE, speaker), (BOARD, writer)], ids=["vote", "debate", "board"]
)
def test_a_budget_ends_a_group_with_20(desk, text, brain):
    body = text.replace("%s", "majority\n    best_effort: true", 1).replace(
        "inputs: {required: {plan: string}}\n", "inputs: {values: {plan: x}}\n"
    )
    desk.write("flow.yaml", flow("  budgets: {max_steps: 1}\n  max_parallel: 1\n" + body))
    with FakeProvider("openai", brain) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
        assert len(fake.requests) == 1
    assert said.code == 20, said.all
    assert "max_steps is 1" in said.all


def test_members_that_fail_are_left_out_but_not_all_of_them(desk):
    desk.write("flow.yaml", flow(NONE + VOTE.replace("%s", "plurality\n    best_effort: true", 1)))

    def brain(request):
        return fail(400, "no") if "You are bold." in request.text else voter(request)

    with FakeProvider("openai", brain) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "plan=x")
        assert (said.code, said.out) == (0, "wait\n"), said.all
    with FakeProvider("openai", fail(400, "no such model")) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "plan=x", "--out", "other")
        assert said.code == 10
        assert "no such model" in said.all


def test_few_real_agents_gossip_and_agree(desk):
    desk.write(
        "gossip.yaml",
        flow("""\
agents: {watcher: {prompt: You watch.}}
pattern:
  type: gossip
  config: {agents: [{agent: watcher, count: 3}], input: 'What do you see, {{ member }}?', believe: Believe what is likely.}
"""),
    )
    desk.write(
        "agree.yaml",
        flow("""\
agents: {guest: {prompt: You are a guest.}, host: {prompt: You are the host.}}
pattern:
  type: consensus
  config: {agents: [host, {agent: guest, count: 2}], input: Where?, choices: [here, there]}
"""),
    )

    def brain(request):
        text = request.text
        if "What do you see" in text:
            return say(f"A ship off {request.prompt.split('see, ')[1].split('?')[0]}")
        if "believe and pass on" in text:
            lines = request.prompt.splitlines()
            numbers = [int(line[0]) for line in lines if line[:1].isdigit() and "watcher-2" not in line]
            return say(json.dumps({"accept": numbers}))
        if "You are the host." in text:
            return say('{"vote": "there"}' if "The last ballot" in text else '{"vote": "here"}')
        return say('{"vote": "there"}')

    with FakeProvider("openai", brain) as fake:
        desk.reach(fake)
        said = desk("run", "gossip.yaml")
        assert said.code == 0, said.all
        assert "A ship off watcher-1 (3 of 3)" in said.out
        assert "A ship off watcher-2 (1 of 3)" in said.out, "nobody else believed it"
        said = desk("run", "agree.yaml")
    assert (said.code, said.out) == (0, "there\n"), said.all

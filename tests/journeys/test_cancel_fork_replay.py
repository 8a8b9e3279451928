"""From the command line: a run that waits inside a saga is forked, cancelled, replayed, opened again and starved."""

from tests.journeys.conftest import flow

BOOKING = flow(
    """\
  budgets: {max_steps: 20}
agents: {clerk: {prompt: You are a clerk., tools: []}}
pattern:
  type: saga
  config:
    steps:
      - id: book
        do: {agent: clerk, input: "Repeat in one sentence: The visit is on Monday."}
        compensate: {agent: clerk, input: "Repeat in one sentence: The visit is called off."}
      - id: sign
        do: {type: hitl, prompt: Sign it?, choices: [sign, reject]}
      - id: file
        do: {agent: clerk, input: "Repeat in one sentence: It is signed."}
""",
    provider="offline",
    model="extract",
)


def undone(desk, run="last"):
    return [event["path"] for event in desk.events("step.completed", run) if "$undo[book]" in event["path"]]


def test_a_saga_that_waits_is_forked_cancelled_replayed_and_goes_on(desk):
    desk.write("flow.yaml", BOOKING)
    assert desk("run", "flow.yaml").code == 19
    first = desk("runs", "list", "--json").json["runs"][0]["run_id"]
    forked = desk("fork", first)
    assert forked.code in {0, 19}, forked.all
    assert desk("cancel", first).code == 0
    assert undone(desk, first)
    for run in (first, "last"):
        replayed = desk("replay", run)
        assert replayed.code == 0, replayed.all
        assert desk("verify", run).code == 0
    assert desk("resume", first).code == 19
    signed = desk("approve", first, "--choice", "sign")
    assert signed.code == 0, signed.all
    assert desk("replay", first).code == 0


def test_a_saga_that_is_rejected_or_runs_out_of_steps_undoes_what_it_did(desk):
    desk.write("flow.yaml", BOOKING)
    assert desk("run", "flow.yaml").code == 19
    assert desk("reject", "last").code != 0
    assert undone(desk)
    assert desk("replay", "last").code == 0
    desk.write("flow.yaml", BOOKING.replace("max_steps: 20", "max_steps: 1"))
    assert desk("run", "flow.yaml").code == 19
    signed = desk("approve", "last", "--choice", "sign")
    assert signed.code == 20, signed.all
    assert undone(desk)
    assert desk("replay", "last").code == 0

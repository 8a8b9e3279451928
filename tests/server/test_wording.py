"""What to do about an error is said in what the caller's protocol has for it, and that is really there."""

import json
import re
from pathlib import Path

import pytest

from weft.server.mcp.offer import GENERIC
from weft.server.wording import said_over, said_to

DOCUMENT = json.loads((Path(__file__).parents[2] / "schema" / "openapi.json").read_text())


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ("`weft runs list` shows the runs", "`GET /api/v1/runs` shows the runs"),
        ("`weft show 01a2` shows it", "`GET /api/v1/runs/01a2` shows it"),
        ("`weft events 01a2 --follow` watches it, `weft cancel 01a2` stops it", None),
        (
            "`weft resume 01a2 --did /step[0]=yes` (or =no)",
            "`POST /api/v1/runs/01a2/resume` with `settle` (or =no)",
        ),
        ("`weft approve 01a2 /gate`, or `weft reject 01a2 /gate`", None),
        ("`weft resume RUN` asks again", "`POST /api/v1/runs/{id}/resume` asks again"),
        ("`weft runs delete 01a2`", "`DELETE /api/v1/runs/01a2`"),
        ("`weft agents show two` shows the schema", "`GET /api/v1/agents/two` shows the schema"),
        ("`weft schedules list` and `weft triggers list` show them", None),
        ("`weft gates` shows what waits for an answer", None),
        ("`weft rerun 01a2 --from /step[0]` forks just before it", None),
        ("add --var topic=…", "give `topic` in `inputs`"),
        ("it is for ada; --by says who answers", "it is for ada; `by` says who answers"),
        ("use `weft validate FILE`", None),
        ("run `weft doctor`", "run `weft doctor`"),
        ("write `model_id`", "write `model_id`"),
    ],
)
def test_a_command_becomes_the_call_that_does_it(fix, said):
    found = said_over("http", fix)
    assert said in {found, None}
    for method, path in re.findall(r"`([A-Z]+) (/api/v1/[^`]*)`", found):
        shapes = [re.sub(r"\{[^}]*\}", "[^/]+", known) for known in DOCUMENT["paths"]]
        matching = [known for known, shape in zip(DOCUMENT["paths"], shapes, strict=True) if re.fullmatch(shape, path)]
        assert any(method.lower() in DOCUMENT["paths"][known] for known in matching), (method, path)


def test_our_own_clients_are_told_commands():
    assert said_to("curl/8.5", "`weft gates` shows it") == "`GET /api/v1/gates` shows it"
    assert said_to("weft/1.0", "`weft gates` shows it") == "`weft gates` shows it"


@pytest.mark.parametrize(
    ("protocol", "fix", "said"),
    [
        ("mcp", "`weft show 01a2` shows it", "`weft_status` of 01a2 shows it"),
        ("mcp", "`weft runs list` shows the runs", "`weft_status` shows the runs"),
        ("mcp", "`weft approve 01a2 /gate`, or `weft reject 01a2 /gate`", "`weft_answer`, or `weft_answer`"),
        ("mcp", "`weft cancel 01a2` stops it", "`weft_cancel` of 01a2 stops it"),
        ("mcp", "`weft run FILE` starts one", "`weft_start` starts one"),
        ("mcp", "`weft resume 01a2` asks again", "`POST /api/v1/runs/01a2/resume` asks again"),
        ("mcp", "add --var topic=…", "give the argument `topic`"),
        ("a2a", "`weft show 01a2` shows it", "`GetTask` of 01a2 shows it"),
        ("a2a", "`weft events 01a2 --follow` watches it", "`SubscribeToTask` of 01a2 watches it"),
        ("a2a", "`weft cancel 01a2` stops it", "`CancelTask` of 01a2 stops it"),
        ("a2a", "`weft runs list` shows the runs", "`ListTasks` shows the runs"),
        ("a2a", "`weft approve 01a2 /gate`", "`POST /api/v1/gates/{id}/decide`"),
        ("a2a", "add --var topic=…", "give `topic` in a part with data"),
        ("ag-ui", "`weft approve 01a2 /gate`", "`resume`"),
        ("ag-ui", "add --var topic=…", "give `topic` in `forwardedProps.inputs`"),
        ("openai", "`weft show 01a2` shows it", "`GET /api/v1/runs/01a2` shows it"),
        ("openai", "add --var topic=…", "give `topic` in `weft.inputs`"),
    ],
)
def test_each_protocol_has_words_of_its_own(protocol, fix, said):
    assert said_over(protocol, fix) == said


def test_the_tools_that_are_named_are_there():
    for command in ("show 1a", "gates", "approve 1a", "cancel 1a", "run", "runs list"):
        assert said_over("mcp", f"`weft {command}`").strip("`").partition("`")[0] in GENERIC


def test_over_a_pipe_there_is_no_api_beside_the_tools():
    assert said_over("mcp", "`weft resume 1a` asks again", api=False) == "`weft resume 1a` asks again"
    assert said_over("mcp", "`weft show 1a`", api=False) == "`weft_status` of 1a"

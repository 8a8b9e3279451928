"""What to do about an error is said in calls of the API, which `tests/server/control` shows to be there."""

import json
import re
from pathlib import Path

import pytest

from weft.server.wording import over_http, said_to

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
    found = over_http(fix)
    assert said in {found, None}
    for method, path in re.findall(r"`([A-Z]+) (/api/v1/[^`]*)`", found):
        shapes = [re.sub(r"\{[^}]*\}", "[^/]+", known) for known in DOCUMENT["paths"]]
        matching = [known for known, shape in zip(DOCUMENT["paths"], shapes, strict=True) if re.fullmatch(shape, path)]
        assert any(method.lower() in DOCUMENT["paths"][known] for known in matching), (method, path)


def test_our_own_clients_are_told_commands():
    assert said_to("curl/8.5", "`weft gates` shows it") == "`GET /api/v1/gates` shows it"
    assert said_to("weft/1.0", "`weft gates` shows it") == "`weft gates` shows it"

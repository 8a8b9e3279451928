"""The control API through the death of the service, and through its end in good order."""

import httpx2
import pytest

from tests.server.control.service import Api

pytestmark = pytest.mark.slow
TEXT = "Rain fell for two days. The river rose by two metres."


def test_what_was_asked_and_what_waits_survives_a_kill(serve):
    served = serve()
    with Api(served.url) as api:
        body, key = {"workflow": "letter", "inputs": {"note": TEXT}}, {"Idempotency-Key": "letter-1"}
        run = api.settled(api.post("/runs", body, expect=202, headers=key)["id"])
        tag = api.client.get(f"/runs/{run['id']}").headers["etag"]
        (gate,) = api.get("/gates")["items"]
        served.restart()
        assert api.client.get(f"/runs/{run['id']}", headers={"If-None-Match": tag}).status_code == 304
        assert api.post("/runs", body, expect=200, headers=key)["id"] == run["id"]
        assert api.post(f"/gates/{gate['id']}/decide", {"choice": "send"})["repeated"] is False
        served.restart()
        assert api.ended(run["id"])["status"] == "completed"
        assert api.get(f"/runs/{run['id']}/verify")["intact"] is True
        acts = [one["act"] for one in api.get("/audit")["items"]]
        assert acts == ["gate.decide", "run.start", "settings.change"]


def test_an_ending_service_says_so_and_leaves_what_waits(serve):
    served = serve()
    with Api(served.url) as api:
        run = api.run("nap")
        assert served.stop() == 0
        with pytest.raises(httpx2.TransportError):
            api.get(f"/runs/{run['id']}")
        served.start()
        api.post(f"/runs/{run['id']}/signal", {"name": "wake"}, expect=202)
        assert api.ended(run["id"])["status"] == "completed"

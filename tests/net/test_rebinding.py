"""A name that answers otherwise the second time leads nowhere but where it was checked, whoever asks: tools, redirects, models."""

import asyncio
import socket

import pytest
from tests.net.test_net_client import Dialer, resolver

from weft.core.errors import PolicyError
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.net.transport import system_resolver
from weft.testing.loopback import LoopbackServer, Reply

INSIDE = (
    "127.0.0.1",
    "169.254.169.254",
    "10.0.0.7",
    "::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "0.0.0.0",
    "fe80::1",
)
PUBLIC = "93.184.216.34"


class Names:
    """A resolver of this process: what each name answers, one answer after the other, the last one from then on."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(said) for name, said in answers.items()}
        self.asked = []

    def getaddrinfo(self, host, port, *_, **__):
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        said = self.answers[name]
        addresses = said.pop(0) if len(said) > 1 else said[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]


@pytest.fixture
def names(monkeypatch):
    """Whatever asks the system for names in this process is answered by these."""
    made = Names(
        rebind_example=[[PUBLIC], ["127.0.0.1"]],
        mixed_example=[[PUBLIC, "::ffff:127.0.0.1"]],
        inside_example=[["127.0.0.1"]],
    )
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    return made


async def test_one_look_up_of_the_system_is_made_and_what_it_answered_is_dialled(names):
    async with LoopbackServer(lambda _: Reply(headers={"connection": "close"})) as server:
        dialer = Dialer(server.port)
        async with HttpClient(resolver=system_resolver, dialer=dialer) as client:
            assert (await client.request("GET", "http://rebind.example/")).status == 200
            assert (names.asked, dialer.dialled) == (["rebind.example"], [(PUBLIC, 80)])
            with pytest.raises(PolicyError, match="rebind.example"):
                await client.request("GET", "http://rebind.example/again")
            with pytest.raises(PolicyError, match="mixed.example"):
                await client.request("GET", "http://mixed.example/")
        assert dialer.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize("address", INSIDE)
async def test_an_answer_that_leads_inside_is_refused_the_second_time_too(address):
    async with LoopbackServer(lambda _: Reply(headers={"connection": "close"})) as server:
        dialer = Dialer(server.port)
        async with HttpClient(resolver=resolver([PUBLIC], [address]), dialer=dialer) as client:
            assert (await client.request("GET", "http://rebind.example/")).status == 200
            with pytest.raises(PolicyError):
                await client.request("GET", "http://rebind.example/")
    assert dialer.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize("address", INSIDE)
async def test_a_redirect_is_looked_up_and_checked_like_a_request(address):
    def away(request):
        if request.target == "/":
            return Reply(status=302, headers={"location": "http://second.example/x", "connection": "close"})
        return Reply(body=b"inside")

    async with LoopbackServer(away) as server:
        dialer = Dialer(server.port)
        async with HttpClient(resolver=resolver([PUBLIC], [address]), dialer=dialer) as client:
            with pytest.raises(PolicyError):
                await client.request("GET", "http://first.example/")
        assert dialer.dialled == [(PUBLIC, 80)]
        assert [one.target for one in server.requests] == ["/"]


async def test_a_redirect_to_the_same_name_does_not_reach_what_it_answers_now():
    def away(_):
        return Reply(status=307, headers={"location": "/again", "connection": "close"})

    async with LoopbackServer(away) as server:
        dialer = Dialer(server.port)
        async with HttpClient(resolver=resolver([PUBLIC], ["169.254.169.254"]), dialer=dialer) as client:
            with pytest.raises(PolicyError, match="metadata"):
                await client.request("GET", "http://rebind.example/")
    assert dialer.dialled == [(PUBLIC, 80)]


async def test_many_requests_at_once_while_the_name_changes_reach_nothing_inside():
    turns = iter(range(10_000))

    async def flapping(host, port):
        await asyncio.sleep(0)
        return [PUBLIC] if next(turns) % 2 else ["127.0.0.1"]

    async with LoopbackServer(lambda _: Reply(headers={"connection": "close"})) as server:
        dialer = Dialer(server.port)
        async with HttpClient(resolver=flapping, dialer=dialer) as client:
            asked = [client.request("GET", f"http://flap.example/{n}") for n in range(40)]
            done = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in done if isinstance(one, Exception)} == {PolicyError}
    assert {address for address, _ in dialer.dialled} == {PUBLIC}


async def test_the_rules_that_allow_this_machine_allow_it_whatever_it_is_called():
    async with LoopbackServer(lambda _: Reply()) as server:
        dialer = Dialer(server.port)
        policy = EgressPolicy(allow_loopback=True)
        async with HttpClient(policy, resolver=resolver(["::ffff:127.0.0.1"]), dialer=dialer) as client:
            assert (await client.request("GET", "http://here.example/")).status == 200

"""The audit log in S3 and CloudWatch Logs: every entry once and in order, whatever breaks on the way."""

import asyncio
import json
import os
from dataclasses import replace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.postgres_server import Elsewhere
from tests.processes import command, start
from tests.waiting import until
from weft.app.auditing.keys import AuditKey
from weft.app.auditing.proof import verify_file
from weft.app.auditing.shipping import Shipper, targets
from weft.core.clock import SystemClock
from weft.core.errors import AuthError, ConflictError, TransientError
from weft.core.settings_model import AuditShipping
from weft.store.audit import Entry, note
from weft.store.journal import Journal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto, monkeypatch, request):
    """Settings that name a bucket and a group which are there and empty, and clients for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3, logs = (boto3.client(name, endpoint_url=moto) for name in ("s3", "logs"))
    name = request.node.name.replace("_", "-")[:60]
    s3.create_bucket(Bucket=name)
    logs.create_log_group(logGroupName=name)
    own = AuditShipping(s3_bucket=name, s3_prefix="kept", log_group=name, aws_endpoint=moto, batch=10)
    return own, s3, logs


@pytest.fixture
def log(tmp_path):
    """A journal with a log of two tenants, one of which has a name that needs care, and its key."""
    journal = Journal(tmp_path / "journal.db", durability="fast")
    key = AuditKey(tmp_path)
    add(journal, key, "local", 25)
    add(journal, key, "a/b:c", 3)
    yield journal, key
    journal.close()


def add(journal, key, tenant, count):
    now = SystemClock().micros()
    entries = [
        Entry(principal="ann", act="run.start", target=f"run/{at}", at=now, data={"ü": '"\n'}, tenant=tenant)
        for at in range(count)
    ]
    journal.writer.call(note(entries, key))


def shipper(journal, own):
    found = targets(own)
    return Shipper(journal, found, SystemClock(), batch=own.batch), found


def ranges(shipped):
    return [(one.tenant, one.first, one.last) for one in shipped]


def objects(aws):
    own, s3, _ = aws
    names = [one["Key"] for one in s3.list_objects_v2(Bucket=own.s3_bucket).get("Contents", [])]
    return {name: s3.get_object(Bucket=own.s3_bucket, Key=name)["Body"].read() for name in names}


def events(aws, stream):
    own, _, logs = aws
    found = logs.get_log_events(logGroupName=own.log_group, logStreamName=stream, startFromHead=True)["events"]
    return [json.loads(one["message"]) for one in found]


def test_every_entry_arrives_once_and_what_arrived_is_proof(aws, log, tmp_path):
    journal, key = log
    first, (bucket, group) = shipper(journal, aws[0])
    expected = [("a/b:c", 1, 3), ("local", 1, 10), ("local", 11, 20), ("local", 21, 25)]
    assert ranges(first.ship(bucket)) == ranges(first.ship(group)) == expected
    assert list(first.ship(bucket)) == []
    add(journal, key, "local", 2)
    second, (bucket, group) = shipper(journal, aws[0])  # another process
    assert ranges(second.ship(bucket)) == ranges(second.ship(group)) == [("local", 26, 27)]

    kept = objects(aws)
    assert "kept/a%2Fb%3Ac/entries/000000000001-000000000003.jsonl" in kept
    entries = [body for name, body in sorted(kept.items()) if name.startswith("kept/local/entries/")]
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(entries) + kept["kept/local/heads/000000000027.json"])
    found = verify_file(file, key.public)
    assert (found.entries, found.bad) == (27, None)
    sent = events(aws, "weft-audit/local")
    assert [one["seq"] for one in sent if "seq" in one] == list(range(1, 28))
    assert [one["head"]["seq"] for one in sent if "head" in one] == [25, 27]


class Cut:
    """A target whose answers are lost after `after` batches: they have arrived, and nobody was told."""

    def __init__(self, target, after):
        self.name, self._target, self._after = target.name, target, after

    def put(self, batch):
        self._target.put(batch)
        self._after -= 1
        if self._after < 0:
            raise TransientError("cut")


def test_a_lost_answer_repeats_the_same_entries_and_nothing_stands_twice(aws, log):
    journal, key = log
    first, found = shipper(journal, aws[0])
    for target in found:
        with pytest.raises(TransientError, match="cut"):
            list(first.ship(Cut(target, 2)))
    add(journal, key, "local", 4)  # more is new: what was being sent stays what it was
    second, found = shipper(journal, aws[0])
    for target in found:
        assert ranges(second.ship(target)) == [("local", 11, 20), ("local", 21, 29)]
    names = [name.rsplit("/", 1)[1] for name in objects(aws) if name.startswith("kept/local/entries/")]
    assert [name[:25] for name in names] == [
        "000000000001-000000000010",
        "000000000011-000000000020",
        "000000000021-000000000029",
    ]
    assert [one["seq"] for one in events(aws, "weft-audit/local") if "seq" in one] == list(range(1, 30))


def test_another_log_is_never_overwritten(aws, log, tmp_path):
    journal, _ = log
    first, (bucket, _) = shipper(journal, aws[0])
    list(first.ship(bucket))
    before = objects(aws)
    (tmp_path / "new").mkdir()
    other = Journal(tmp_path / "new" / "journal.db", durability="fast")
    add(other, AuditKey(tmp_path / "new"), "local", 10)
    second, (bucket, _) = shipper(other, aws[0])
    with pytest.raises(ConflictError, match="other entries"):
        list(second.ship(bucket))
    other.close()
    assert objects(aws) == before


def test_one_process_at_a_time_and_what_is_refused_is_said(aws, log):
    journal, _ = log
    first, (bucket, _) = shipper(journal, aws[0])

    class Slow:
        name = bucket.name

        def put(self, batch):
            second, _ = shipper(journal, aws[0])
            assert batch.tenant not in [one.tenant for one in second.ship(bucket)]
            bucket.put(batch)

    list(first.ship(Slow()))
    missing, (none, _) = shipper(journal, aws[0].model_copy(update={"s3_bucket": "not-there-at-all"}))
    with pytest.raises(AuthError, match="NoSuchBucket"):
        list(missing.ship(none))


async def test_a_service_ships_as_long_as_it_runs(aws, log):
    journal, key = log
    own, _, _ = aws
    made, _ = shipper(journal, own)
    running = asyncio.ensure_future(made.run(every_s=0.05))
    async with asyncio.timeout(60):
        for number in (25, 26):
            while f"kept/local/heads/{number:012}.json" not in await asyncio.to_thread(objects, aws):
                await asyncio.sleep(0.1)
            add(journal, key, "local", 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_the_command_ships_once(aws, log, tmp_path):
    own, _, _ = aws
    log[0].close()
    given = {
        "WEFT_HOME": str(tmp_path),
        **Elsewhere.environ(tmp_path),
        "WEFT_AUDIT__S3_BUCKET": own.s3_bucket,
        "WEFT_AUDIT__AWS_ENDPOINT": own.aws_endpoint,
    }
    done = command("audit", "ship", "--json", env=os.environ | given)
    assert [(one["tenant"], one["last"]) for one in json.loads(done.out)["shipped"]] == [("a/b:c", 3), ("local", 25)]
    again = command("audit", "ship", "--json", env=os.environ | given)
    assert (again.code, json.loads(again.out)) == (0, {"shipped": []})
    given["WEFT_AUDIT__S3_BUCKET"] = ""
    none = command("audit", "ship", "--json", env=os.environ | given)
    assert none.code
    assert "WEFT_AUDIT__S3_BUCKET" in none.out + none.err


def test_a_worker_ships_while_it_works(aws, log, tmp_path):
    own, _, _ = aws
    log[0].close()
    given = {
        "WEFT_HOME": str(tmp_path),
        **Elsewhere.environ(tmp_path),
        "WEFT_AUDIT__S3_BUCKET": own.s3_bucket,
        "WEFT_AUDIT__S3_PREFIX": "kept",
        "WEFT_AUDIT__AWS_ENDPOINT": own.aws_endpoint,
    }
    worker = start(["worker"], env=os.environ | given)
    try:
        # One more than there were: with which settings the worker starts.
        until(lambda: worker.poll() is not None or "kept/local/heads/000000000026.json" in objects(aws), 60)
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()


def test_entries_that_are_old_come_too(aws, log):
    journal, key = log
    entries = [Entry(principal="ann", act="run.start", target="run/1", at=at, tenant="old") for at in (1, 2)]
    recent = SystemClock().micros() - 3 * 86_400_000_000
    journal.writer.call(note([*entries, replace(entries[0], at=recent)], key))
    made, (_, group) = shipper(journal, aws[0])
    list(made.ship(group))
    assert [one["seq"] for one in events(aws, "weft-audit/old") if "seq" in one] == [1, 2, 3]

"""The audit log in S3 and in CloudWatch Logs. Credentials are those that AWS's own client finds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from weft.app.auditing.shipping import Batch
from weft.core.errors import AuthError, ConflictError, TransientError, WeftError

_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 3, "mode": "standard"})
_REFUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "NoCredentialsError",
        "NoSuchBucket",
        "PartialCredentialsError",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_PIECE_BYTES, _PIECE_EVENTS, _EVENT_BYTES = 1_000_000, 10_000, 26
_SPAN_MS = 23 * 3_600_000
"""CloudWatch Logs takes at most a day, a mebibyte and 10,000 events at once, and counts 26 bytes more for each of them."""
_OLD_MS = 13 * 24 * 3_600_000
"""It refuses what is older than two weeks: such entries are given a time that it takes; their own stands in the line."""
_PARTIAL = ("tooNewLogEventStartIndex", "tooOldLogEventEndIndex", "expiredLogEventEndIndex")


class Bucket:
    """Objects of S3, each named by its tenant and the numbers of its entries, and one with the signed head of those before it.

    What is there is never overwritten by something else, whatever became of this database meanwhile.
    """

    def __init__(self, bucket: str, prefix: str, *, region: str | None, endpoint: str | None) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self.name = f"s3://{bucket}/{self._prefix}"
        self._client = _client("s3", region, endpoint)

    def put(self, batch: Batch) -> None:
        """Write the entries, and the head if it is theirs.

        Raises:
            ConflictError: other entries stand there under these numbers.
            WeftError: S3 refuses, or cannot be reached.
        """
        body = b"".join(one + b"\n" for one in batch.lines)
        self._write(batch, f"entries/{batch.first:012}-{batch.last:012}.jsonl", body)
        if batch.head is not None:
            self._write(batch, f"heads/{batch.last:012}.json", batch.head + b"\n")

    def _write(self, batch: Batch, name: str, body: bytes) -> None:
        parts = (self._prefix, quote(batch.tenant, safe=""), name)
        where = {"Bucket": self._bucket, "Key": "/".join(part for part in parts if part)}
        try:
            try:
                self._client.put_object(
                    **where,
                    Body=body,
                    ContentType="application/x-ndjson",
                    Metadata={"weft-hash": batch.hash},
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "PreconditionFailed":
                    raise
                there = self._client.head_object(**where)["Metadata"].get("weft-hash")
                if there != batch.hash:
                    raise ConflictError(
                        f"{where['Key']} in S3 holds other entries of the audit log",
                        fix="another log was shipped there, or this one was written anew: compare them; "
                        "set audit.s3_prefix to begin elsewhere",
                    ) from error
        except (BotoCoreError, ClientError) as error:
            raise _refused(error, self.name) from error


class LogGroup:
    """Events of CloudWatch Logs, a stream a tenant. A batch that may have arrived is sent from where the stream ends."""

    def __init__(self, group: str, *, region: str | None, endpoint: str | None) -> None:
        self._group = group
        self.name = f"logs:{group}"
        self._client = _client("logs", region, endpoint)
        self._streams: set[str] = set()

    def put(self, batch: Batch) -> None:
        """Send the entries, and the head if it is theirs.

        Raises:
            WeftError: CloudWatch Logs refuses, or cannot be reached.
        """
        stream = "weft-audit/" + quote(batch.tenant, safe="")
        numbered = [((batch.first + at, 0), text) for at, text in enumerate(batch.lines)]
        times = list(batch.times)
        if batch.head is not None:
            numbered.append(((batch.last, 1), batch.head))
            times.append(times[-1])
        try:
            self._open(stream)
            end = self._end(stream) if batch.again else (0, 0)
            left = [(text.decode(), at) for ((place, text), at) in zip(numbered, times, strict=True) if place > end]
            for piece in _pieces(left, int(time.time() * 1_000)):
                answer = self._client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=piece)
                partial = answer.get("rejectedLogEventsInfo") or {}
                if any(name in partial for name in _PARTIAL):
                    raise TransientError(
                        "entries of the audit log were left out by CloudWatch Logs",
                        fix="check the clock of this machine",
                    )
        except (BotoCoreError, ClientError) as error:
            raise _refused(error, self.name) from error

    def _open(self, stream: str) -> None:
        if stream in self._streams:
            return
        try:
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ResourceAlreadyExistsException":
                raise
        self._streams.add(stream)

    def _end(self, stream: str) -> tuple[int, int]:
        """The number of the last entry that is there, and 1 when the head after it is there too."""
        found = self._client.get_log_events(
            logGroupName=self._group, logStreamName=stream, limit=1, startFromHead=False
        )["events"]
        try:
            last: dict[str, Any] = json.loads(found[-1]["message"]) if found else {"seq": 0}
            return (last["head"]["seq"], 1) if "head" in last else (last["seq"], 0)
        except (ValueError, KeyError, TypeError) as error:
            raise ConflictError(
                f"the stream {stream!r} of CloudWatch Logs holds what is no audit log",
                fix="ship to a group of its own: audit.log_group",
            ) from error


def _pieces(left: Sequence[tuple[str, int]], now_ms: int) -> Iterator[list[dict[str, Any]]]:
    """What is left, in pieces that CloudWatch Logs takes, each in the order of its times."""
    piece: list[dict[str, Any]] = []
    size, at_ms = 0, 0
    for text, at in left:
        at_ms = max(at_ms, min(max(at // 1_000, now_ms - _OLD_MS), now_ms))
        length = len(text.encode()) + _EVENT_BYTES
        full = len(piece) == _PIECE_EVENTS or size + length > _PIECE_BYTES
        if piece and (full or at_ms - piece[0]["timestamp"] > _SPAN_MS):
            yield piece
            piece, size = [], 0
        piece.append({"timestamp": at_ms, "message": text})
        size += length
    if piece:
        yield piece


def _client(service: str, region: str | None, endpoint: str | None) -> Any:
    try:
        return boto3.session.Session().client(service, region_name=region, endpoint_url=endpoint, config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise AuthError("AWS's client cannot be made", fix="set audit.aws_region, or AWS_REGION") from error


def _refused(error: Exception, name: str) -> WeftError:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else type(error).__name__
    message = f"{name} did not take the audit log: {code}"
    if code in _REFUSED:
        return AuthError(message, fix="check the name, the region and your rights: docs/audit.md names them")
    return TransientError(message, fix="it is tried again; nothing is lost meanwhile")

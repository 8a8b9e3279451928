"""How webhooks are told: signed HTTP requests, and mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from weft.app.telling.signing import Keyring, headers
from weft.app.telling.teller import as_told
from weft.core.clock import Clock, iso
from weft.core.errors import AuthError, InputError, PolicyError, ProviderError, StepTimeoutError, TransientError
from weft.net.port import Http
from weft.store.webhooks import Delivery, Webhook

_TIMEOUT_S = 15.0
_GONE = 410


class HttpCarrier:
    """Posts the envelope, signed, to the webhook's address, as far as the rules for outgoing requests allow."""

    def __init__(self, http: Http, keys: Keyring, clock: Clock) -> None:
        self._http = http
        self._keys = keys
        self._clock = clock

    async def carry(self, webhook: Webhook, delivery: Delivery) -> str:
        """See `Carrier.carry`."""
        body = delivery.body.encode()
        secret = self._keys.secret(webhook.id, int(webhook.config.get("version", 1)))
        signed = headers(secret, delivery.id, self._clock.micros() // 1_000_000, body)
        answer = await self._http.request(
            "POST",
            webhook.url,
            headers={"Content-Type": "application/json", **signed},
            body=body,
            timeout_s=_TIMEOUT_S,
        )
        if answer.status == _GONE:
            raise PolicyError(f"{webhook.url} wants to be told no more (410)")
        if not 200 <= answer.status < 300:
            raise ProviderError(f"it was answered with {answer.status}")
        return str(answer.status)


class MailCarrier:
    """Sends what is told as mail, by the server in the setting ``server.smtp_url``: ``smtp://user:password@host:port``.

    ``smtps://`` speaks TLS from the beginning; ``smtp://`` begins it when the server offers that, and demands it before it
    shows a password. `asked` gives what a gate asks: whoever is reminded reads it again.
    """

    def __init__(self, url: str | None, sender: str, link: str, asked: Callable[[str], Mapping[str, Any]]) -> None:
        self._url = url
        self._sender = sender
        self._link = link
        self._asked = asked

    async def carry(self, webhook: Webhook, delivery: Delivery) -> str:
        """See `Carrier.carry`."""
        if self._url is None:
            raise PolicyError("no mail can be sent", fix="set server.smtp_url")
        message = self._message(webhook, as_told(delivery), delivery.id)
        try:
            await asyncio.to_thread(_send, self._url, message)
        except smtplib.SMTPAuthenticationError:
            raise AuthError("the mail server refuses the credentials", fix="correct server.smtp_url") from None
        except smtplib.SMTPRecipientsRefused:
            raise PolicyError("the mail server refuses the recipient") from None
        except TimeoutError:
            raise StepTimeoutError("the mail server does not answer") from None
        except (OSError, smtplib.SMTPException) as error:
            raise TransientError(f"the mail could not be sent: {type(error).__name__}") from error
        return "sent"

    def _message(self, webhook: Webhook, told: Mapping[str, Any], message_id: str) -> EmailMessage:
        data = told["data"]
        if told["type"] in {"gate.warned", "gate.escalated"}:
            data = {**self._asked(str(data.get("gate", ""))), **data}
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = webhook.url.removeprefix("mailto:")
        message["Subject"] = _line(f"[weft] {_SUBJECTS.get(told['type'], told['type'])}: {data.get('workflow', '')}")
        message["Message-ID"] = f"<{message_id.replace(':', '.')}@weft>"
        lines = [str(data.get("prompt", "")), str(data.get("show", ""))[:4_000]]
        if data.get("choices"):
            lines.append("Choices: " + ", ".join(map(str, data["choices"])))
        if data.get("due"):
            lines.append(f"Answer before {iso(int(data['due']))}.")
        lines.append(f"Run {data['run']}, {told['type']} at {data.get('path') or '/'}")
        if told["topic"] == "gates":
            lines.append(f"Answer at {self._link}/api/v1/gates/{data.get('gate', '')}")
        message.set_content("\n\n".join(line for line in lines if line))
        return message


_SUBJECTS: Mapping[str, str] = {
    "gate.opened": "somebody is asked",
    "gate.warned": "an answer is due soon",
    "gate.escalated": "an answer is overdue, and you are asked too",
    "gate.decided": "it was decided",
    "run.completed": "a run has completed",
    "run.failed": "a run has failed",
}


def check_address(address: str) -> str:
    """A mail address as a webhook has it.

    Raises:
        InputError: it is none.
    """
    plain = address.removeprefix("mailto:")
    name, _, host = plain.partition("@")
    odd = any(char.isspace() or char in '<>,;:"\\' or ord(char) < 33 for char in plain)
    if not name or "." not in f"{host}." or not host or odd or len(plain) > 254 or "@" in host:
        raise InputError(f"{plain[:60]!r} is no mail address", fix="give one such as ann@example.org")
    return f"mailto:{plain}"


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _send(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host, context = parts.hostname or "localhost", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=_TIMEOUT_S)
    with server:
        server.ehlo()
        if parts.scheme != "smtps" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif parts.scheme != "smtps" and parts.password:
            raise smtplib.SMTPNotSupportedError("a password is sent over TLS alone")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)

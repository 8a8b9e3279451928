from __future__ import annotations

from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ConnectionClosedError
from botocore.tokens import FrozenAuthToken
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from weft.core.errors import AuthError
from weft.models.ref import ModelRef
from weft.models.registry import OFFLINE_HINT, Access


def open_model(ref: ModelRef, access: Access) -> BedrockConverseModel:
    """Amazon Bedrock's Converse API, with AWS's own chain of credentials, or a Bedrock API key where one is set.

    Raises:
        AuthError: no region is set, or the named profile does not exist.
    """
    region = ref.region or access.variable("AWS_REGION", "AWS_DEFAULT_REGION")
    bearer = access.variable("AWS_BEARER_TOKEN_BEDROCK")
    try:
        session = _bearer_session(bearer, region) if bearer else _session(access, region)
    except BotoCoreError as error:
        raise AuthError(
            f"AWS credentials for {ref.id} cannot be read: {error}",
            fix=f"check AWS_PROFILE and ~/.aws/config, {OFFLINE_HINT}",
            model=ref.id,
        ) from error
    if session.region_name is None:
        raise AuthError(
            f"the model {ref.id} needs a region, and none is set",
            fix=f"set runtime.region in the workflow or AWS_REGION in the environment, {OFFLINE_HINT}",
            model=ref.id,
        )
    config: dict[str, Any] = {"signature_version": "bearer"} if bearer else {}
    client = session.client(
        "bedrock-runtime",
        endpoint_url=ref.base_url or access.variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
        config=Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=min(10.0, access.timeout_s),
            read_timeout=access.timeout_s,
            max_pool_connections=100,
            **config,
        ),
    )
    access.closers.append(client.close)
    client.meta.events.register("after-call.bedrock-runtime.Converse", _demand_all)
    return BedrockConverseModel(ref.name, provider=BedrockProvider(bedrock_client=client))


def _demand_all(http_response: Any, **_: Any) -> None:
    """Refuse a body that broke off, which the library would read as an empty answer."""
    announced = http_response.headers.get("content-length", "")
    if announced.isdigit() and len(http_response.content) < int(announced):
        raise ConnectionClosedError(endpoint_url=http_response.url)


def _session(access: Access, region: str | None) -> boto3.Session:
    key = access.variable("AWS_ACCESS_KEY_ID")
    return boto3.Session(
        aws_access_key_id=key,
        aws_secret_access_key=access.variable("AWS_SECRET_ACCESS_KEY") if key else None,
        aws_session_token=access.variable("AWS_SESSION_TOKEN") if key else None,
        profile_name=None if key else access.variable("AWS_PROFILE"),
        region_name=region,
    )


def _bearer_session(token: str, region: str | None) -> boto3.Session:
    return boto3.Session(botocore_session=_BearerSession(token), region_name=region)


class _BearerSession(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """A session that has a bearer token and, by intent, no signing credentials."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def get_auth_token(self, **_: Any) -> FrozenAuthToken:
        """The token for every service."""
        return FrozenAuthToken(self._token)

    def get_credentials(self) -> None:
        """None, so that requests are not signed."""
        return

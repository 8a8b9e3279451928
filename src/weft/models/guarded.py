"""A model that raises Weft errors only, whatever its client library raises."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from weft.core.errors import TransientError
from weft.models.errors import LATER, check_answer, recognise, translate
from weft.models.ref import ModelRef


class GuardedModel(WrapperModel):
    """Another model, with its errors translated and its answers checked.

    An answer that broke off or is empty raises, so that what reaches the journal is whole.
    """

    def __init__(self, wrapped: Model[Any], *, ref: ModelRef, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(wrapped)
        self.ref = ref
        self._secrets = secrets

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask the model.

        Raises:
            WeftError: it failed; the class says whether to wait, to try again or to mend something.
        """
        try:
            response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        except Exception as error:  # every provider's client has exceptions of its own
            raise translate(error, self.ref, secrets=self._secrets) from error
        return check_answer(response, self.ref)

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """Ask the provider how large `messages` are.

        Raises:
            WeftError: it failed.
        """
        try:
            return await self.wrapped.count_tokens(messages, model_settings, model_request_parameters)
        except NotImplementedError:
            raise
        except Exception as error:  # every provider's client has exceptions of its own
            raise translate(error, self.ref, secrets=self._secrets) from error

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask the model and hand out the answer as it comes.

        Raises:
            WeftError: it failed, or, when the stream was read to its end, the answer broke off or is empty.
        """
        started = False
        try:
            async with self.wrapped.request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                started = True
                yield stream
        except Exception as error:  # as above
            # What the reader of the stream raises in its own right goes through as it is.
            found = recognise(error, self.ref, secrets=self._secrets, streaming=started)
            if found is None and not started:
                found = translate(error, self.ref, secrets=self._secrets)
            if found is None or found is error:
                raise
            raise found from error
        self._check_end(stream)

    def _check_end(self, stream: StreamedResponse) -> None:
        response = stream.get()
        read_to_the_end = response.state == "complete"
        if stream.state == "incomplete" or (read_to_the_end and response.finish_reason is None):
            raise TransientError(f"the answer of {self.ref.id} broke off", fix=LATER, model=self.ref.id)
        if read_to_the_end:
            check_answer(response, self.ref)

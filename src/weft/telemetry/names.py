"""Every name that telemetry uses. The GenAI conventions of OpenTelemetry are not stable: names change here, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

SCOPE = "weft"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
WORKFLOW = "gen_ai.workflow.name"
AGENT = "gen_ai.agent.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 -- a name
TOOL = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
ERROR_TYPE = "error.type"

INVOKE_WORKFLOW = "invoke_workflow"
INVOKE_AGENT = "invoke_agent"
CHAT = "chat"
EXECUTE_TOOL = "execute_tool"

METRIC_TOKENS = "gen_ai.client.token.usage"
METRIC_DURATION = "gen_ai.client.operation.duration"

RUN_ID = "weft.run.id"
PLAN_HASH = "weft.plan.hash"
STATUS = "weft.run.status"
STEP_PATH = "weft.step.path"
STEP_TYPE = "weft.step.type"
STEP_EFFECT = "weft.step.effect"
STEP_ATTEMPTS = "weft.step.attempts"
STEP_UNFINISHED = "weft.step.unfinished"
COST = "weft.cost.usd"
TOTAL_COST = "weft.usage.cost.usd"
TOTAL_REQUESTS = "weft.usage.requests"
TOTAL_INPUT_TOKENS = "weft.usage.input_tokens"
TOTAL_OUTPUT_TOKENS = "weft.usage.output_tokens"
INPUT = "weft.input"
OUTPUT = "weft.output"

METRIC_RUNS = "weft.runs"
METRIC_RUN_DURATION = "weft.run.duration"
METRIC_STEPS = "weft.steps"
METRIC_RETRIES = "weft.step.retries"
METRIC_COST = "weft.cost"
METRIC_AUDIT_LOST = "weft.audit.lost"

PROVIDERS: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
}
"""How the conventions call our providers, where they call them otherwise."""

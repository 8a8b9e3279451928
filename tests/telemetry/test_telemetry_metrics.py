from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from telemetry_journal import finished_run

from weft.telemetry.metrics import RunMetrics
from weft.telemetry.projection import Projection


def measured(*journals):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    projection = Projection([RunMetrics(provider.get_meter("test"))])
    for journal in journals:
        projection.on_events(journal.events)
    data = reader.get_metrics_data()
    found = {m.name: m.data.data_points for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    provider.shutdown()
    return found


def test_runs_steps_retries_tokens_and_money_are_counted_once():
    found = measured(finished_run(), finished_run("other"))
    (runs,) = found["weft.runs"]
    assert (runs.value, dict(runs.attributes)) == (2, {"gen_ai.workflow.name": "report", "status": "completed"})
    steps = {(p.attributes["type"], p.attributes["status"]): p.value for p in found["weft.steps"]}
    assert steps == {("clock", "ok"): 2, ("agent", "ok"): 2, ("model", "ok"): 2, ("tool", "error"): 2}
    assert [p.value for p in found["weft.step.retries"]] == [2]
    tokens = {p.attributes["gen_ai.token.type"]: p.sum for p in found["gen_ai.client.token.usage"]}
    assert tokens == {"input": 20, "output": 8}
    assert [p.value for p in found["weft.cost"]] == [0.5]


def test_time_is_in_seconds_and_labelled_by_operation():
    found = measured(finished_run())
    times = {p.attributes["gen_ai.operation.name"]: p.sum for p in found["gen_ai.client.operation.duration"]}
    assert times == {"invoke_agent": 0.006, "chat": 0.002, "execute_tool": 0.001}
    assert found["weft.run.duration"][0].sum == 0.012


def test_no_label_names_a_run_or_a_path():
    for points in measured(finished_run()).values():
        for point in points:
            assert not {"weft.run.id", "weft.step.path"} & set(point.attributes)

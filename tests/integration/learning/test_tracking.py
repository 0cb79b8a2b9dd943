"""The curves of a training, read back from where they were drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from infra.settings import Settings
from training.finetune import Step
from training.recipe import Recipe
from training.tracking import EXPERIMENT, NoTracking, tracked

RECIPE = Recipe(lora_rank=4)
STEPS = [
    Step(1, 2, loss=3.0, tokens_per_second=100.0, seconds_left=1.0, learning_rate=0.1, memory_mb=7),
    Step(
        2, 2, loss=2.0, tokens_per_second=110.0, seconds_left=0.0, learning_rate=0.2, memory_mb=8, validation_loss=2.5
    ),
]


def settings(tmp_path: Path, tensorboard_dir: str = "", mlflow_tracking_uri: str = "") -> Settings:
    return Settings(home=tmp_path, tensorboard_dir=tensorboard_dir, mlflow_tracking_uri=mlflow_tracking_uri)


def runs(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_tensorboard_gets_every_figure_of_every_step_and_the_recipe(tmp_path: Path) -> None:
    with tracked(settings(tmp_path, tensorboard_dir=str(tmp_path / "curves")), "v2-abc", RECIPE) as hear:
        for step in STEPS:
            hear(step)

    read = EventAccumulator(str(tmp_path / "curves" / "v2-abc"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("loss")] == [(1, 3.0), (2, 2.0)]
    assert [(one.step, one.value) for one in read.Scalars("validation_loss")] == [(2, 2.5)]
    assert {"learning_rate", "tokens_per_second", "memory_mb"} <= set(read.Tags()["scalars"])
    assert b"lora_rank: 4" in read.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0]


def test_mlflow_gets_them_too_with_the_recipe_as_parameters(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for version in ("v2-abc", "v3-def"):
        with tracked(settings(tmp_path, mlflow_tracking_uri=uri), version, RECIPE) as hear:
            for step in STEPS:
                hear(step)

    client = MlflowClient(tracking_uri=uri)
    found = runs(client)
    assert {run.info.run_name for run in found} == {"v2-abc", "v3-def"}
    assert all(run.info.status == "FINISHED" and run.data.params["lora_rank"] == "4" for run in found)
    losses = client.get_metric_history(found[0].info.run_id, "loss")
    assert [(one.step, one.value) for one in losses] == [(1, 3.0), (2, 2.0)]


def test_a_server_that_is_not_there_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.raises(NoTracking, match="COPYDESK_MLFLOW_TRACKING_URI"),
        tracked(settings(tmp_path, mlflow_tracking_uri="http://127.0.0.1:9"), "v2", RECIPE),
    ):
        pass


def test_a_retraining_goes_on_without_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = settings(tmp_path, mlflow_tracking_uri="http://127.0.0.1:9")

    with tracked(away, "v2", RECIPE, or_fail=False) as hear:
        hear(STEPS[0])

    assert "no curve of v2" in caplog.text


def test_a_training_that_fails_is_no_finished_one(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    def fail() -> None:
        with tracked(settings(tmp_path, mlflow_tracking_uri=uri), "v2", RECIPE) as hear:
            hear(STEPS[0])
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert [run.info.status for run in runs(MlflowClient(tracking_uri=uri))] == ["FAILED"]


def test_a_curve_that_breaks_off_stops_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with tracked(settings(tmp_path, mlflow_tracking_uri=uri), "v2", RECIPE) as hear:
        hear(STEPS[0])
        client = MlflowClient(tracking_uri=uri)
        client.delete_run(runs(client)[0].info.run_id)
        hear(STEPS[1])
        hear(STEPS[1])

    assert sum("the curve of v2 ends at step 2" in record.message for record in caplog.records) == 1


def test_without_a_setting_nothing_is_written(tmp_path: Path) -> None:
    with tracked(settings(tmp_path), "v2", RECIPE) as hear:
        hear(STEPS[0])

    assert not list(tmp_path.iterdir())

"""The curves of a training, for who watches several: to TensorBoard, to MLflow, to both or, by default, to nobody.

The packages are the extra `tracking`; without a setting that asks for them they are not imported. A tracker that fails
on the way stops nothing: the training is worth more than its curve.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infra.settings import Settings
from schemas.errors import Mendable
from training.finetune import Step
from training.recipe import Recipe

EXPERIMENT = "copydesk"
Track = Callable[[int, Mapping[str, float]], None]
Close = Callable[[bool], None]
"""Told whether the training failed."""
log = logging.getLogger(__name__)


class NoTracking(Mendable):
    """A setting asks for curves, but the package that draws them is missing or the server does not answer."""


@contextmanager
def tracked(
    settings: Settings, version: str, recipe: Recipe, *, or_fail: bool = True
) -> Iterator[Callable[[Step], None]]:
    """What is to hear of each step. A tracker that cannot begin raises `NoTracking` before the training does, or, where
    nobody is there to mend it (`or_fail` False), is left out with a warning. Raises nothing after that.
    """
    trackers: list[tuple[Track, Close]] = []
    parameters = recipe.model_dump(mode="json")
    try:
        if settings.tensorboard_dir:
            trackers.append(_tensorboard(Path(settings.tensorboard_dir) / version, parameters))
        if settings.mlflow_tracking_uri:
            trackers.append(_mlflow(settings.mlflow_tracking_uri, version, parameters))
    except NoTracking as error:
        if or_fail:
            raise
        log.warning("no curve of %s: %s", version, error)

    def hear(step: Step) -> None:
        for track, _ in list(trackers):
            try:
                track(step.number, figures(step))
            except Exception:
                log.warning("the curve of %s ends at step %d", version, step.number, exc_info=True)
                trackers[:] = [one for one in trackers if one[0] is not track]

    failed = True
    try:
        yield hear
        failed = False
    finally:
        for _, close in trackers:
            try:
                close(failed)
            except Exception:
                log.warning("the curve of %s is not closed", version, exc_info=True)


def figures(step: Step) -> dict[str, float]:
    """What is drawn of a step: losses in nats per title token, memory in MB at the peak so far."""
    found = {
        "loss": step.loss,
        "learning_rate": step.learning_rate,
        "tokens_per_second": step.tokens_per_second,
        "memory_mb": float(step.memory_mb),
    }
    return found if step.validation_loss is None else {**found, "validation_loss": step.validation_loss}


def _tensorboard(folder: Path, parameters: Mapping[str, Any]) -> tuple[Track, Close]:
    _wants("tensorboard", "COPYDESK_TENSORBOARD_DIR")
    from torch.utils.tensorboard.writer import SummaryWriter

    writer = SummaryWriter(str(folder))
    writer.add_text("recipe", "\n".join(f"- {name}: {value}" for name, value in parameters.items()))

    def track(number: int, found: Mapping[str, float]) -> None:
        for name, figure in found.items():
            writer.add_scalar(name, figure, number)

    return track, lambda failed: writer.close()


def _mlflow(uri: str, version: str, parameters: Mapping[str, Any]) -> tuple[Track, Close]:
    _wants("mlflow", "COPYDESK_MLFLOW_TRACKING_URI")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        number = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
        run = client.create_run(number, run_name=version).info.run_id
        for name, value in parameters.items():
            client.log_param(run, name, value)
    except MlflowException as error:
        raise NoTracking(f"MLflow at COPYDESK_MLFLOW_TRACKING_URI does not take the curve: {error}") from error

    def track(step: int, found: Mapping[str, float]) -> None:
        for name, figure in found.items():
            client.log_metric(run, name, figure, step=step)

    return track, lambda failed: client.set_terminated(run, "FAILED" if failed else "FINISHED")


def _wants(package: str, setting: str) -> None:
    if find_spec(package) is None:
        raise NoTracking(f"{setting} is set, but {package} is not installed: pip install 'copydesk[tracking]'")

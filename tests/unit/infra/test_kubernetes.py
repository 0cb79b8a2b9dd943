"""The manifests for Kubernetes, against the API's own schemas and against the commands that they name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from torch.distributed.run import get_args_parser
from typer.main import get_command

from copydesk.main import app
from infra.settings import Settings
from training.recipe import load_recipe

MANIFESTS = sorted(Path("infra/kubernetes").glob("*.yaml"))
VERSIONS = ("1.29", kubernetes_validate.latest_version())


def documents(manifest: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifest.read_text()))


def train_job() -> dict[str, Any]:
    return next(one for one in documents(Path("infra/kubernetes/train-job.yaml")) if one["kind"] == "Job")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_the_api_takes_every_document(manifest: Path, version: str) -> None:
    for document in documents(manifest):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_key_would_be_noticed() -> None:
    misspelt = copy.deepcopy(train_job())
    misspelt["spec"]["completionsMode"] = misspelt["spec"].pop("completionMode")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, VERSIONS[-1], strict=True)


def test_the_training_job_starts_a_training_that_exists_on_as_many_machines_as_it_asks_for() -> None:
    job = train_job()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (service,) = (one for one in documents(Path("infra/kubernetes/train-job.yaml")) if one["kind"] == "Service")

    launched = get_args_parser().parse_args(container["args"])
    command, *words = launched.training_script_args
    chosen = get_command(app).commands[command].make_context(command, words).params  # type: ignore[attr-defined]
    recipe = load_recipe(chosen["config"])
    environment = {one["name"]: one.get("value", "") for one in container["env"]}

    assert launched.training_script == "copydesk"
    assert launched.module
    assert int(launched.nnodes) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert int(launched.nproc_per_node) == int(container["resources"]["limits"]["nvidia.com/gpu"])
    assert launched.rdzv_endpoint == f"{job['metadata']['name']}-0.{service['metadata']['name']}:29500"
    assert recipe.base_model == environment["COPYDESK_BASE_MODEL"]
    assert {name.removeprefix("COPYDESK_").lower() for name in environment if name.startswith("COPYDESK_")} <= set(
        Settings.model_fields
    )


def test_no_container_may_more_than_it_needs() -> None:
    pod = train_job()["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    for container in pod["containers"]:
        may = container["securityContext"]
        assert not may["allowPrivilegeEscalation"]
        assert may["readOnlyRootFilesystem"]
        assert may["capabilities"] == {"drop": ["ALL"]}

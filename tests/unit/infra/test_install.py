"""The set-up can take torch from another index without touching the rest of the lock."""

from __future__ import annotations

from pathlib import Path

from infra.install import split_lock


def test_torch_and_its_cuda_libraries_leave_the_lock_together() -> None:
    rest, torch = split_lock(Path("requirements.lock").read_text())

    assert torch.startswith("torch==")
    assert "\nnvidia-" not in rest
    assert "\ntorch==" not in rest


def test_everything_else_keeps_its_pin_and_its_hashes() -> None:
    kept = ["aiokafka==0.14.0 \\\n    --hash=sha256:aa\n", "tqdm==4.1 \\\n    --hash=sha256:cc\n"]
    lock = kept[0] + "torch==2.13.0 \\\n    --hash=sha256:bb\n" + kept[1]

    rest, torch = split_lock(lock)

    assert rest == "".join(kept)
    assert torch == "torch==2.13.0"


def test_no_lock_names_a_registry() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in Path(lock).read_text()

"""A recipe: everything that decides how an adapter is trained, read from a YAML file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CONFIGS = Path(__file__).parent / "configs"


class Quantization(StrEnum):
    """How the frozen base is held in memory; the adapter itself is always trained in full precision."""

    none = "none"
    int8 = "8bit"
    nf4 = "4bit"


class Method(StrEnum):
    """What trains: an adapter beside the frozen base, or the base itself."""

    lora = "lora"
    full = "full"


class Objective(StrEnum):
    """What is learned: to write the titles, or to prefer a curator's title to the one that the model had written."""

    titles = "titles"
    preferences = "preferences"


class Start(StrEnum):
    """What training begins with: a fresh adapter, or the weights of the champion's."""

    fresh = "fresh"
    parent = "parent"


class Recipe(BaseModel):
    """One training run. Unknown keys are refused: a misspelt one would otherwise be a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_model: str = ""
    """The base that the recipe was written for; empty: any. It must be the one in COPYDESK_BASE_MODEL."""
    prompt_version: str = "v3"
    method: Method = Method.lora
    objective: Objective = Objective.titles
    preference_beta: float = Field(default=0.1, gt=0)
    """For preferences: how dearly the model pays for leaving where it began; DPO's beta."""
    quantization: Quantization = Quantization.none
    start: Start = Start.fresh
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    epochs: float = Field(default=3.0, gt=0)
    batch_size: int = Field(default=8, ge=1)
    micro_batch_size: int = Field(default=0, ge=0)
    """So many examples of a batch at a time, their gradients added up (the result is the same); 0: all at once."""
    gradient_checkpointing: bool = False
    """Keep only what passes between layers and compute the rest again: a third slower, a fraction of the memory."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many epochs without a lower loss on the validation split, and keep the best weights; 0: never."""
    warmup_share: float = Field(default=0.05, ge=0, le=1)
    gradient_clip: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=2048, ge=32)
    """Longest example, prompt and title together; a longer one is an error, not a silent cut."""
    seed: int = 0
    holdout_stories: int = Field(default=80, ge=1)
    """At most so many held-out stories are titled by champion and challenger."""

    @model_validator(mode="after")
    def _whole_models_are_not_quantized(self) -> Recipe:
        if self.method is Method.full and (self.quantization is not Quantization.none or self.start is Start.parent):
            raise ValueError("method full trains the base itself: without quantization, and not from an adapter")
        return self


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe of this name in `training/configs`, or at this path. Raises `FileNotFoundError`, `ValueError`."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIGS / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.yaml")))
        raise FileNotFoundError(f"no training recipe {name_or_path!r}; there are {known}, or give a YAML file's path")
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text()) or {})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ValueError(f"recipe {path.name}: {faults}") from error

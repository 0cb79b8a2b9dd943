"""Every setting, its default and its meaning. The only module that reads the environment (`COPYDESK_…`)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import Invalid

DEMO_MODEL = Path(__file__).parent / "demo_model"
LOOPBACK = "127.0.0.1"


class Settings(BaseSettings):
    """Read once per process by `get_settings`; tests build their own with keyword arguments."""

    model_config = SettingsConfigDict(env_prefix="COPYDESK_", frozen=True, extra="ignore")

    home: Path = Field(default=Path(".copydesk"), description="Data folder: everything that must survive a restart.")

    # streams
    kafka_bootstrap: str = Field(default="", description="host:port,… of your cluster; empty: the embedded broker.")
    kafka_port: int = Field(
        default=29092, description="Port of the embedded broker on 127.0.0.1; port+1 is its controller."
    )
    kafka_heap_mb: int = Field(default=384, ge=128, description="Heap of the embedded broker in MB.")
    jar_cache: Path | None = Field(
        default=None, description="Where Kafka's jars are kept; default: a user cache folder."
    )
    maven_repository: str = Field(
        default="", description="Base address of a Maven repository that has Kafka's jars, if not the central one."
    )
    window: int = Field(default=32, ge=1, description="Messages in flight per stream worker.")
    max_attempts: int = Field(
        default=5, ge=1, description="Tries of a message with transient trouble before it is a dead letter."
    )
    handler_timeout_s: float = Field(default=90.0, gt=0, description="Seconds one try of a message may take.")

    # stores
    database_url: str = Field(default="", description="SQLAlchemy address; empty: SQLite in the data folder.")

    # models
    base_model: str = Field(
        default=str(DEMO_MODEL / "base"), description="Any Hugging Face causal model, by name or folder."
    )
    base_revision: str = Field(default="main", description="Revision of the base model, for hub models.")
    model_server_url: str = Field(
        default="", description="OpenAI-compatible base address (…/v1); empty: the embedded server."
    )
    model_server_port: int = Field(default=29082, description="Port of the embedded model server.")
    model_server_key: SecretStr = Field(
        default=SecretStr("none"), description="API key of the model server, if it wants one."
    )
    model_timeout_s: float = Field(default=60.0, gt=0, description="Seconds one title may take.")
    max_title_tokens: int = Field(default=48, ge=8, description="Longest answer asked from the model.")
    max_article_tokens: int = Field(
        default=700, ge=64, description="An article is cut to this many tokens for the prompt."
    )
    usd_per_million_input_tokens: float = Field(default=0.0, ge=0, description="Price of the model server.")
    usd_per_million_output_tokens: float = Field(default=0.0, ge=0, description="Price of the model server.")
    torch_threads: int = Field(default=0, ge=0, description="Threads per torch process; 0: half of the cores.")

    # judgement
    scorer_model: str = Field(
        default="minilm", description="`minilm` (comes with the installation) or any bert-score model by name."
    )
    review_precision_below: float = Field(
        default=0.0, description="Titles with a lower BERTScore precision go to review; 0: the scorer's own default."
    )
    audit_share: float = Field(
        default=0.02, ge=0, le=1, description="Share of unflagged titles sent to review all the same."
    )

    # learning
    retrain_min_corrections: int = Field(
        default=50, ge=1, description="Corrections since the last training that start the next."
    )
    retrain_cooldown_s: float = Field(default=600.0, ge=0, description="Least seconds between two trainings.")
    retrain_poll_s: float = Field(default=2.0, gt=0, description="Seconds between two looks at the trigger.")
    retrain_enabled: bool = Field(default=True, description="False: never train by itself.")
    training_config: str = Field(default="demo", description="Name or path of the training recipe's YAML.")

    # seen from outside
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of this worker's /metrics, /livez and /readyz; 0: none."
    )
    metrics_host: str = Field(default=LOOPBACK, description="Address that this port listens on.")
    metrics_first_port: int = Field(
        default=29100,
        ge=0,
        le=65500,
        description="`copydesk up` and `copydesk demo` give their workers metrics ports from here on; 0: none.",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Log lines for people or for machines.")
    trace_endpoint: str = Field(
        default="",
        description="OTLP/HTTP base address of a collector (http://…:4318); empty: files in the data folder.",
    )
    trace_share: float = Field(default=1.0, ge=0, le=1, description="Share of articles whose way is traced.")
    trace_file_mb: int = Field(default=16, ge=0, description="Most that a worker's trace files take in MB; 0: none.")

    # the press
    user_agent: str = Field(
        default="Copydesk/0.1 (+https://github.com/copydesk)", description="Who we say we are to publishers."
    )
    allow_private_networks: bool = Field(
        default=False, description="True lets feeds point into private networks; the demo needs it for its own press."
    )
    min_poll_s: float = Field(default=3600.0, gt=0, description="Least seconds between two polls of a feed.")
    newsroom_port: int = Field(default=29081, description="Port of the simulated press.")

    # the desk
    desk_host: str = Field(default=LOOPBACK, description="Address the desk listens on.")
    desk_port: int = Field(default=29080, description="Port of the desk.")
    desk_allowed_hosts: str = Field(
        default="", description="Further names, comma-separated, that the desk may be called by; `*`: any."
    )

    @property
    def bootstrap(self) -> str:
        """Address of the broker in use."""
        return self.kafka_bootstrap or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def database(self) -> str:
        """SQLAlchemy address of the database in use."""
        return self.database_url or f"sqlite:///{(self.home / 'copydesk.db').resolve()}"

    @property
    def model_server(self) -> str:
        """Base address of the model server in use, with `/v1`."""
        return self.model_server_url or f"http://{LOOPBACK}:{self.model_server_port}/v1"

    @property
    def threads(self) -> int:
        """Threads for torch in this process. Several such processes share a machine, and all of a process' threads
        wait for the one whose core is busy: on two busy cores, two threads were many times slower than one.
        """
        return self.torch_threads or max(1, (os.cpu_count() or 1) // 2)

    @property
    def artefacts(self) -> Path:
        """Folder of trained adapters, one folder per version."""
        return self.home / "models"

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, so that a child process reads the same ones."""
        values: dict[str, str] = {}
        for name, field in Settings.model_fields.items():
            value = getattr(self, name)
            if value != field.get_default(call_default_factory=True):
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                values[f"COPYDESK_{name.upper()}"] = text
        values["COPYDESK_HOME"] = str(self.home.resolve())
        return values


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process. Raises `Invalid` for values that make no sense; the values are not repeated."""
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise Invalid(
            "; ".join(f"COPYDESK_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in faults)
        ) from None

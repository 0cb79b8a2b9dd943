"""Every setting, its default and its meaning. The only module that reads the environment (`COPYDESK_…`)."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.errors import Invalid

DEMO_MODEL = Path(__file__).parent / "demo_model"
LOOPBACK = "127.0.0.1"


class Security(StrEnum):
    """How a Kafka broker is spoken to: in the clear or over TLS, without or with a name and a password."""

    plaintext = "plaintext"
    ssl = "ssl"
    sasl_plaintext = "sasl_plaintext"
    sasl_ssl = "sasl_ssl"

    @property
    def tls(self) -> bool:
        return self in (Security.ssl, Security.sasl_ssl)

    @property
    def sasl(self) -> bool:
        return self in (Security.sasl_plaintext, Security.sasl_ssl)


class Mechanism(StrEnum):
    """How the password is proved (SASL). PLAIN sends it; SCRAM proves it without sending it."""

    plain = "PLAIN"
    scram_sha_256 = "SCRAM-SHA-256"
    scram_sha_512 = "SCRAM-SHA-512"


class Settings(BaseSettings):
    """Read once per process by `get_settings`; tests build their own with keyword arguments.

    Secrets are `SecretStr`: they show in no `repr`, and `environment` leaves them out.
    """

    model_config = SettingsConfigDict(env_prefix="COPYDESK_", frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Field(default=Path(".copydesk"), description="Data folder: everything that must survive a restart.")
    secrets_dir: Path | None = Field(
        default=None, description="Folder with a file per secret, named like its variable (Docker, Kubernetes)."
    )

    # streams
    kafka_bootstrap: str = Field(default="", description="host:port,… of your cluster; empty: the embedded broker.")
    kafka_port: int = Field(
        default=29092, description="Port of the embedded broker on 127.0.0.1; port+1 is its controller."
    )
    kafka_security: Security = Field(
        default=Security.plaintext, description="plaintext, ssl, sasl_plaintext or sasl_ssl; for a cluster of yours."
    )
    kafka_ca: Path | None = Field(
        default=None, description="PEM file of who signed the brokers' certificates; default: whom the system trusts."
    )
    kafka_certificate: Path | None = Field(
        default=None, description="PEM file of our own certificate, for brokers that ask for one."
    )
    kafka_key: Path | None = Field(default=None, description="PEM file of the certificate's private key.")
    kafka_key_password: SecretStr = Field(default=SecretStr(""), description="Password of that key, if it has one.")
    kafka_sasl_mechanism: Mechanism = Field(
        default=Mechanism.scram_sha_512, description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN."
    )
    kafka_username: str = Field(default="", description="Name of the Kafka user (SASL).")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="Password of the Kafka user (SASL).")
    kafka_heap_mb: int = Field(default=256, ge=128, description="Heap of the embedded broker in MB.")
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
    dead_letter_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="A worker that would bury more than this share of a topic's last 1000 messages stops; 1: never.",
    )
    dead_letter_least: int = Field(
        default=100, ge=1, description="Fewer dead letters than this among them never stop a worker."
    )

    # stores
    database_url: SecretStr = Field(
        default=SecretStr(""), description="SQLAlchemy address; empty: SQLite in the data folder."
    )
    database_password: SecretStr = Field(
        default=SecretStr(""), description="Password of the database's user, if it does not stand in the address."
    )

    # models
    base_model: str = Field(
        default=str(DEMO_MODEL / "base"), description="Any Hugging Face causal model, by name or folder."
    )
    base_revision: str = Field(default="main", description="Revision of the base model, for hub models.")
    model_server_url: str = Field(
        default="", description="OpenAI-compatible base address (…/v1); empty: the embedded server."
    )
    model_server_host: str = Field(
        default=LOOPBACK, description="Address the embedded model server listens on; it asks nobody for a key."
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
    examples: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Similar articles with their curated titles in an untuned model's prompt (v5); 0: fixed examples.",
    )
    examples_similarity: float = Field(
        default=0.4, ge=0, le=1, description="Least cosine of two articles at which one is an example for the other."
    )
    firmer_retry: bool = Field(
        default=True,
        description="A title by an untuned model (prompts v1 and v2) that breaks a house rule is asked for once more.",
    )
    usd_per_million_input_tokens: float = Field(default=0.0, ge=0, description="Price of the model server.")
    usd_per_million_output_tokens: float = Field(default=0.0, ge=0, description="Price of the model server.")
    price_file: Path | None = Field(
        default=None, description="YAML file with prices of models and GPUs; default: the one that comes along."
    )
    teacher_url: str = Field(
        default="", description="OpenAI-compatible base address (…/v1) of `copydesk label`; empty: OpenAI's own."
    )
    teacher_key: SecretStr = Field(default=SecretStr(""), description="API key for it.")
    teacher_timeout_s: float = Field(default=120.0, gt=0, description="Seconds one answer of the teacher may take.")
    torch_threads: int = Field(default=0, ge=0, description="Threads per torch process; 0: half of the cores.")

    # judgement
    scorer_model: str = Field(
        default="minilm", description="`minilm` (comes with the installation) or any bert-score model by name."
    )
    second_opinion_model: str = Field(
        default="",
        description="An entailment (NLI) model, by name or folder, that judges titles beside the scorer; empty: none.",
    )
    review_precision_below: float = Field(
        default=0.0, description="Titles with a lower BERTScore precision go to review; 0: the scorer's own default."
    )
    review_share: float = Field(
        default=0.2, gt=0, le=1, description="Share of titles that the learned flagger sends to review."
    )
    review_per_day: int = Field(
        default=0,
        ge=0,
        description="Doubtful titles a day that curators have time for, in place of review_share; 0: review_share.",
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
    retrain_when: Literal["count", "schedule", "both", "either"] = Field(
        default="count",
        description="What makes a training due: enough corrections, the schedule, both of them, or either of them.",
    )
    retrain_schedule: str = Field(
        default="", description="When the schedule says so, as a cron expression in UTC: `0 3 * * *` is every night."
    )
    retrain_min_stories: int = Field(
        default=1, ge=1, description="Least number of different stories among the corrections that start a training."
    )
    retrain_min_curators: int = Field(
        default=1, ge=1, description="Least number of different curators among the corrections that start a training."
    )
    retrain_tag_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Of one error tag at most this share of the needed corrections counts; 1: all of them count.",
    )
    retrain_lease_s: float = Field(
        default=60.0,
        ge=5,
        description="Seconds without a sign of life after which another machine takes a training for dead.",
    )
    retrain_older_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of a training's examples that may be corrections trained on before; 1: all of them.",
    )
    retrain_most_per_tag: int = Field(
        default=0, ge=0, description="At most so many training examples of one error tag, newest first; 0: no limit."
    )
    dataset_database_url: SecretStr = Field(
        default=SecretStr(""), description="SQLAlchemy address that `copydesk dataset import --sql` asks."
    )
    tensorboard_dir: str = Field(default="", description="Folder for the curves of trainings; empty: none are drawn.")
    mlflow_tracking_uri: str = Field(
        default="", description="MLflow server (or sqlite:///…) that gets the curves of trainings; empty: none does."
    )
    training_config: str = Field(default="demo", description="Name or path of the training recipe's YAML.")
    golden_examples: str = Field(
        default="",
        description="YAML file of articles that every candidate must title right; empty: those that come along.",
    )
    retrain_approval: bool = Field(
        default=False, description="True: a version that passed the gate waits for `copydesk models promote`."
    )
    canary_share: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Share of the articles that a version from a training writes before it gets all; 0: all at once.",
    )
    canary_titles: int = Field(
        default=200,
        ge=20,
        description="So many titles of a canary are compared with the champion's before it gets all.",
    )

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

    # the gateway
    gateway_host: str = Field(default=LOOPBACK, description="Address that `copydesk gateway` listens on.")
    gateway_port: int = Field(default=29083, description="Port of the gateway.")
    gateway_keys: SecretStr = Field(
        default=SecretStr(""), description="Keys, comma-separated, one of which a client of the gateway has to send."
    )

    @property
    def bootstrap(self) -> str:
        """Address of the broker in use."""
        return self.kafka_bootstrap or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def embedded_database(self) -> bool:
        """Whether the database is SQLite in the data folder."""
        return not self.database_url.get_secret_value()

    @property
    def database(self) -> SecretStr:
        """SQLAlchemy address of the database in use; may hold a password."""
        if self.embedded_database:
            return SecretStr(f"sqlite:///{(self.home / 'copydesk.db').resolve()}")
        return self.database_url

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
        """These settings but the secrets as environment variables, so that a child process reads the same ones."""
        values = {name: str(value) for name, value in self._changed() if not isinstance(value, SecretStr)}
        return values | {"COPYDESK_HOME": str(self.home.resolve())}

    def secret_environment(self) -> dict[str, str]:
        """The secrets as environment variables: for the memory of a child process, never for a file."""
        in_files = {path.name.upper() for path in self.secrets_dir.iterdir()} if self.secrets_dir else set()
        return {
            name: value.get_secret_value()
            for name, value in self._changed()
            if isinstance(value, SecretStr) and name not in in_files  # a child reads the file as it is then
        }

    def _changed(self) -> list[tuple[str, object]]:
        return [
            (f"COPYDESK_{name.upper()}", getattr(self, name))
            for name, field in Settings.model_fields.items()
            if getattr(self, name) != field.get_default(call_default_factory=True)
        ]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before the environment, that before the files of `secrets_dir`."""
        folder = os.environ.get("COPYDESK_SECRETS_DIR")
        if not folder:
            return init_settings, env_settings
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)

    @field_validator("model_server_url", "teacher_url", "maven_repository", "trace_endpoint")
    @classmethod
    def _no_password(cls, address: str) -> str:
        """These addresses are shown in messages."""
        if "@" in urlsplit(address).netloc:
            raise ValueError("an address with a password in it would show it in messages; see docs/secure.md")
        return address

    @model_validator(mode="after")
    def _schedule_can_be_read(self) -> Settings:
        if self.retrain_when != "count" and not self.retrain_schedule:
            raise ValueError(f"COPYDESK_RETRAIN_WHEN={self.retrain_when} needs COPYDESK_RETRAIN_SCHEDULE")
        if self.retrain_when == "count" and self.retrain_schedule:
            raise ValueError(
                "COPYDESK_RETRAIN_SCHEDULE means nothing without COPYDESK_RETRAIN_WHEN=schedule, both or either"
            )
        if self.retrain_schedule:
            from croniter import croniter  # takes a while, and most processes have no schedule

            try:
                croniter(self.retrain_schedule).get_next()
            except ValueError as error:  # also for a date that never comes
                raise ValueError(
                    "COPYDESK_RETRAIN_SCHEDULE is no cron expression; every night at three is `0 3 * * *`"
                ) from error
        return self

    @model_validator(mode="after")
    def _security_is_one_thing(self) -> Settings:
        """What would be ignored without a word is refused: somebody believes that it protects them."""
        security = self.kafka_security
        if security is not Security.plaintext and not self.kafka_bootstrap:
            raise ValueError("COPYDESK_KAFKA_SECURITY is for a broker that COPYDESK_KAFKA_BOOTSTRAP names")
        if security.sasl and not (self.kafka_username and self.kafka_password.get_secret_value()):
            raise ValueError(f"COPYDESK_KAFKA_SECURITY={security} needs COPYDESK_KAFKA_USERNAME and _PASSWORD")
        if not security.sasl and (self.kafka_username or self.kafka_password.get_secret_value()):
            raise ValueError(
                f"COPYDESK_KAFKA_USERNAME and _PASSWORD mean nothing with COPYDESK_KAFKA_SECURITY={security}"
            )
        if not security.tls and (self.kafka_ca or self.kafka_certificate or self.kafka_key):
            raise ValueError(
                f"COPYDESK_KAFKA_CA, _CERTIFICATE and _KEY mean nothing with COPYDESK_KAFKA_SECURITY={security}"
            )
        if self.kafka_key and not self.kafka_certificate:
            raise ValueError("COPYDESK_KAFKA_KEY needs COPYDESK_KAFKA_CERTIFICATE")
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process. Raises `Invalid` for values that make no sense; the values are not repeated."""
    folder = os.environ.get("COPYDESK_SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise Invalid(f"COPYDESK_SECRETS_DIR: {folder} is not a folder")
    try:
        return Settings()
    except ValidationError as error:
        raise Invalid(
            "; ".join(_in_words(fault) for fault in error.errors(include_url=False, include_input=False))
        ) from None
    except (OSError, SettingsError) as error:
        raise Invalid(f"COPYDESK_SECRETS_DIR: a file in {folder} cannot be read: {error}") from None


def _in_words(fault: ErrorDetails) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    return f"COPYDESK_{str(fault['loc'][0]).upper()}: {message}" if fault["loc"] else message

"""Where settings come from, what they refuse, and that secrets show nowhere."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from infra.database import DatabaseUnusable, make_engine
from infra.kafka_access import access
from infra.settings import Security, Settings, get_settings
from schemas.errors import Invalid

CANARY = "c4nary-under-no-circumstances"
SECRETS = sorted(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)


def secured(**more: object) -> Settings:
    ours = {"kafka_bootstrap": "k:1", "kafka_security": "sasl_ssl", "kafka_username": "desk", "kafka_password": CANARY}
    return Settings.model_validate({**ours, **more})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets as Docker and Kubernetes mount it."""
    monkeypatch.setenv("COPYDESK_SECRETS_DIR", str(tmp_path))
    get_settings.cache_clear()
    return tmp_path


def test_passwords_and_keys_and_the_database_s_address_are_secrets() -> None:
    assert SECRETS == [
        "database_password",
        "database_url",
        "dataset_database_url",
        "gateway_keys",
        "kafka_key_password",
        "kafka_password",
        "model_server_key",
        "teacher_key",
    ]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_shows_in_no_form_of_the_settings(name: str) -> None:
    settings = secured(**{name: CANARY})
    shown = (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        repr(settings.model_dump()),
        str(settings.environment()),
    )
    assert not [form for form in shown if CANARY in form]


def test_a_child_gets_secrets_by_its_environment_only() -> None:
    assert secured().secret_environment() == {"COPYDESK_KAFKA_PASSWORD": CANARY}
    assert secured().environment()["COPYDESK_KAFKA_SECURITY"] == "sasl_ssl"


def test_a_secret_comes_from_a_file_of_the_secrets_folder(folder: Path) -> None:
    (folder / "COPYDESK_DATABASE_PASSWORD").write_text(CANARY + "\n")
    (folder / "copydesk_model_server_key").write_text("key")
    settings = get_settings()
    assert settings.database_password.get_secret_value() == CANARY
    assert settings.model_server_key.get_secret_value() == "key"
    assert settings.environment()["COPYDESK_SECRETS_DIR"] == str(folder)
    assert settings.secret_environment() == {}, "a child reads the file itself, as it is by then"


def test_the_environment_goes_before_the_secrets_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "COPYDESK_DATABASE_PASSWORD").write_text("from the file")
    monkeypatch.setenv("COPYDESK_DATABASE_PASSWORD", "from the environment")
    assert get_settings().database_password.get_secret_value() == "from the environment"


def test_a_secrets_folder_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_SECRETS_DIR", str(folder / "missing"))
    with pytest.raises(Invalid, match=r"COPYDESK_SECRETS_DIR: .* is not a folder"):
        get_settings()


def test_a_secret_that_is_no_text_is_told_without_its_bytes(folder: Path) -> None:
    (folder / "COPYDESK_KAFKA_PASSWORD").write_bytes(CANARY.encode() + b"\xff")
    with pytest.raises(Invalid, match="cannot be read") as refused:
        get_settings()
    assert CANARY not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kafka_security": "sasl_ssl"}, "needs COPYDESK_KAFKA_USERNAME and _PASSWORD"),
        ({"kafka_security": "ssl", "kafka_username": "desk"}, "mean nothing with COPYDESK_KAFKA_SECURITY=ssl"),
        ({"kafka_password": CANARY}, "mean nothing with COPYDESK_KAFKA_SECURITY=plaintext"),
        ({"kafka_ca": "ca.pem"}, "mean nothing with COPYDESK_KAFKA_SECURITY=plaintext"),
        ({"kafka_security": "ssl", "kafka_key": "key.pem"}, "COPYDESK_KAFKA_KEY needs COPYDESK_KAFKA_CERTIFICATE"),
        ({"kafka_security": "ssl", "kafka_bootstrap": ""}, "for a broker that COPYDESK_KAFKA_BOOTSTRAP names"),
        ({"kafka_security": "tls"}, "'plaintext', 'ssl', 'sasl_plaintext' or 'sasl_ssl'"),
        ({"model_server_url": f"http://desk:{CANARY}@gpu/v1"}, "would show it in messages"),
        ({"maven_repository": f"https://desk:{CANARY}@jars/"}, "would show it in messages"),
        ({"trace_endpoint": f"https://desk:{CANARY}@traces/"}, "would show it in messages"),
    ],
)
def test_what_would_not_protect_is_refused_and_not_repeated(
    values: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"kafka_bootstrap": "k:1", **values}.items():
        monkeypatch.setenv(f"COPYDESK_{name.upper()}", value)
    get_settings.cache_clear()
    with pytest.raises(Invalid, match=words) as refused:
        get_settings()
    assert CANARY not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(ValidationError) as raw:
        Settings()
    assert CANARY not in str(raw.value)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://desk:{CANARY}@db:port/copydesk",
        f"{CANARY}",
        f"mysql://desk:{CANARY}@db/copydesk",
        f"postgresql://db/copydesk?password={CANARY}",
    ],
)
def test_a_database_address_that_is_none_is_not_repeated(address: str) -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        make_engine(Settings(database_url=SecretStr(address)))
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_the_database_s_password_may_stand_beside_its_address() -> None:
    engine = make_engine(
        Settings(database_url=SecretStr("postgresql://desk@db/copydesk"), database_password=SecretStr("p@ss/word:%"))
    )
    assert engine.url.password == "p@ss/word:%"
    assert "p@ss" not in repr(engine)


def test_clients_are_told_what_the_settings_say() -> None:
    told = access(secured(kafka_sasl_mechanism="PLAIN"))
    assert (told["security_protocol"], told["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert (told["sasl_plain_username"], told["sasl_plain_password"]) == ("desk", CANARY)
    assert told["ssl_context"] is not None
    assert told["ssl_context"].check_hostname
    clear = access(Settings(kafka_bootstrap="k:1"))
    assert (clear["security_protocol"], clear["ssl_context"], clear["sasl_plain_username"]) == ("PLAINTEXT", None, None)
    assert Security.plaintext.tls is False


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"retrain_when": "schedule"}, "needs COPYDESK_RETRAIN_SCHEDULE"),
        ({"retrain_schedule": "0 3 * * *"}, "means nothing without COPYDESK_RETRAIN_WHEN"),
        ({"retrain_when": "either", "retrain_schedule": "at three"}, "no cron expression"),
        ({"retrain_when": "both", "retrain_schedule": "0 0 30 2 *"}, "no cron expression"),
    ],
)
def test_a_schedule_that_would_never_train_is_refused(values: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(values)
    assert Settings.model_validate({"retrain_when": "either", "retrain_schedule": "0 3 * * *"}).retrain_schedule

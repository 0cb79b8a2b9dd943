"""The way in to Kafka: where it is, who we are there, whom we trust; and a word about what keeps us out.

Every client's credentials and TLS come from here: kafka-python's, aiokafka's, and Faust's through that.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict

from kafka.errors import (
    IllegalSaslStateError,
    InvalidReceiveError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from infra.settings import Security, Settings
from schemas.errors import Invalid, Transient

PROBE_TIMEOUT_S = 10.0
QUIET_S = 10.0
"""A broker that starts together with us needs some seconds; only then is its absence worth a line."""
log = logging.getLogger(__name__)


class Access(TypedDict):
    """Where the broker is and who we are there, in the words that kafka-python and aiokafka share."""

    bootstrap_servers: list[str]
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


class ClientConfig(Access):
    """What every client of kafka-python is told."""

    reconnect_backoff_max_ms: int


def access(settings: Settings) -> Access:
    """How to reach the broker in use. Holds the password: not for logs. Raises `Invalid` for unusable certificates."""
    sasl = settings.kafka_security.sasl
    return {
        "bootstrap_servers": addresses(settings),
        "security_protocol": settings.kafka_security.upper(),
        "ssl_context": ssl_context(settings),
        "sasl_mechanism": settings.kafka_sasl_mechanism.value,
        "sasl_plain_username": settings.kafka_username if sasl else None,
        "sasl_plain_password": settings.kafka_password.get_secret_value() if sasl else None,
    }


def client_config(settings: Settings) -> ClientConfig:
    """`access` and what else a client of kafka-python is told."""
    return {
        **access(settings),
        "reconnect_backoff_max_ms": 1_000,  # the default of 30 s would sleep through a broker's quick restart
    }


def addresses(settings: Settings) -> list[str]:
    """host:port of each broker that is asked first."""
    return [address.strip() for address in settings.bootstrap.split(",")]


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Whom we trust and who we are, None without TLS. Names are always checked. Raises `Invalid`."""
    if not settings.kafka_security.tls:
        return None
    at = f"COPYDESK_KAFKA_CA={settings.kafka_ca}"
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca)
        if settings.kafka_certificate:
            at = f"COPYDESK_KAFKA_CERTIFICATE={settings.kafka_certificate}, COPYDESK_KAFKA_KEY={settings.kafka_key}"
            # the password is always given: without one OpenSSL would ask for it on the terminal, and wait
            password = settings.kafka_key_password.get_secret_value
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key, password)
    except OSError as error:  # an ssl.SSLError is one, too
        raise Invalid(f"{at} cannot be used: {error.strerror or error}") from error
    return context


@contextmanager
def reaching(settings: Settings, timeout_s: float) -> Iterator[None]:
    """Build a client inside: waits for a broker that lets us in; `Transient` if none does in time or ever will.

    kafka-python would wait, too, but with seconds between its tries and a socket left open, and never saying why: a
    wrong password is to it one more connection that failed.
    """
    deadline, quiet_until = time.monotonic() + timeout_s, time.monotonic() + QUIET_S
    told = ""
    while True:
        listening = [address for address in addresses(settings) if _accepts(address)]
        found = [obstacle(settings, address) for address in listening]
        obstacles = [each for each in found if each is not None]
        if len(obstacles) < len(found):
            break
        if obstacles and all(each.lasting for each in obstacles):
            raise Transient(obstacles[0].words)
        words = obstacles[0].words if obstacles else f"no Kafka broker answers at {settings.bootstrap}"
        if time.monotonic() > deadline:
            raise Transient(f"{words} (tried for {timeout_s:.0f} s)")
        if words != told and (obstacles or time.monotonic() > quiet_until):
            log.warning("trying again: %s", words)
            told = words
        time.sleep(0.1)
    try:
        yield
    except KafkaError as error:
        raise Transient(f"no Kafka broker answers at {settings.bootstrap}: {error}") from error


@dataclass(frozen=True)
class Obstacle:
    """What keeps us out of a broker that listens. `lasting`: no further try helps, somebody has to change something."""

    words: str
    lasting: bool


def obstacle(settings: Settings, address: str) -> Obstacle | None:
    """Go in once, ask for the cluster's brokers, and leave; None if that works."""
    config = client_config(settings)
    if config["ssl_context"] and (found := _obstacle_to_tls(config["ssl_context"], settings, address)):
        return found
    net = NetworkSelector()
    manager = KafkaConnectionManager(net, **{**config, "bootstrap_servers": [address]})

    async def visit() -> None:
        [door] = manager.cluster.bootstrap_brokers()
        await manager.get_connection(door.node_id, timeout_ms=PROBE_TIMEOUT_S * 1000, refresh_metadata_on_err=False)
        await manager.cluster.refresh_metadata(door.node_id)

    try:
        manager.run(visit)
    except (KafkaError, ValueError) as error:  # ValueError: a SCRAM server that does not prove itself
        return _in_words(error, settings, address)
    finally:
        manager.close()
        net.close()
    return None


def _obstacle_to_tls(context: ssl.SSLContext, settings: Settings, address: str) -> Obstacle | None:
    """kafka-python makes one sentence of all that can go wrong here, and leaves the socket open."""
    at, security = f"the Kafka broker at {address}", settings.kafka_security
    host, port = _host_and_port(address)
    try:
        with (
            socket.create_connection((host, port), PROBE_TIMEOUT_S) as link,
            context.wrap_socket(link, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        words = f"the certificate of {at} is not trusted: {error.verify_message} See COPYDESK_KAFKA_CA."
        return Obstacle(words, lasting=True)
    except OSError as error:
        words = f"{at} does not speak TLS: is COPYDESK_KAFKA_SECURITY={security} right? ({error})"
        return Obstacle(words, lasting=False)


def _in_words(error: Exception, settings: Settings, address: str) -> Obstacle:
    at, who, security = f"the Kafka broker at {address}", settings.kafka_username, settings.kafka_security
    match error:
        case SaslAuthenticationFailedError():
            return Obstacle(
                f"{at} refuses user {who!r}: wrong COPYDESK_KAFKA_USERNAME or COPYDESK_KAFKA_PASSWORD, or this user has"
                f" no password for {settings.kafka_sasl_mechanism}",
                lasting=True,
            )
        case UnsupportedSaslMechanismError():
            mechanism = settings.kafka_sasl_mechanism
            return Obstacle(f"{at} does not take COPYDESK_KAFKA_SASL_MECHANISM={mechanism}: {error}", lasting=True)
        case IllegalSaslStateError():
            return Obstacle(f"{at} asks for no password: COPYDESK_KAFKA_SECURITY={security} is wrong", lasting=True)
    reason = str(error)
    if "ALERT" in reason and "CERTIFICATE" in reason:
        words = f"{at} wants a certificate it knows; see COPYDESK_KAFKA_CERTIFICATE and _KEY ({reason})"
        return Obstacle(words, lasting=True)
    if "disconnected" in reason or isinstance(error, InvalidReceiveError):  # a TLS alert is no answer of Kafka's
        advice = {
            Security.plaintext: "does it want TLS or a password? See COPYDESK_KAFKA_SECURITY",
            Security.ssl: "does it want a password, too? See COPYDESK_KAFKA_SECURITY",
            Security.sasl_plaintext: f"does it want TLS, or not know user {who!r} with that password?",
            Security.sasl_ssl: f"does it not know user {who!r} with that password?",
        }
        return Obstacle(f"{at} hangs up: {advice[security]}", lasting=False)
    return Obstacle(f"{at} does not answer: {reason}", lasting=False)


def _accepts(address: str) -> bool:
    try:
        with socket.create_connection(_host_and_port(address), timeout=2):
            return True
    except OSError:
        return False


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)

"""A real broker that lets nobody in without TLS or a password; certificates and passwords are made on the spot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from infra.broker import prepare
from infra.kafka import wait_until_ready
from infra.kafka_access import client_config
from infra.settings import LOOPBACK, Security, Settings
from tests.ground import free_ports

USER, PASSWORD = "copydesk", "pa55 wörd,with=traps;\"'"
PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
Right = tuple[ACLOperation, ResourceType, str]
"""What may be done, to what kind of thing, and its name."""


class SecureBroker:
    """Listens four times on 127.0.0.1: SASL over TLS, TLS that asks for a certificate, SASL in the clear, and in the
    clear for the broker itself. With `guarded` a user has only the rights it was given by `allow`.
    """

    def __init__(self, home: Path, *, guarded: bool = False) -> None:
        self.home = home
        self.guarded = guarded
        ways = (Security.sasl_ssl, Security.ssl, Security.sasl_plaintext)
        self.ports = {way: free_ports() for way in ways}
        self.ports[Security.plaintext] = free_ports(2)
        self.own = Settings(home=home / "broker", kafka_port=self.ports[Security.plaintext], kafka_heap_mb=256)
        self.authority = trustme.CA()
        self.ca = home / "ca.pem"
        self.certificate, self.key = home / "client.pem", home / "client.key"
        self._server = home / "server.pem"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make certificates, start, and give `USER` its SCRAM password."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.authority.cert_pem.write_to_path(self.ca)
        identity = self.authority.issue_cert(LOOPBACK)
        key = load_pem_private_key(identity.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka reads
        self._server.write_bytes(pem + b"".join(part.bytes() for part in identity.cert_chain_pems))
        client = self.authority.issue_cert("desk@ledger.example")
        client.private_key_pem.write_to_path(self.key)
        client.cert_chain_pems[0].write_to_path(self.certificate)
        command = prepare(self.own)
        properties = self.own.home / "kafka" / "server.properties"
        with properties.open("a") as file:  # of a name that stands there twice the last one holds
            file.write(self._properties())
        with (self.home / "broker.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
        wait_until_ready(self.own, 120)
        self.add_user(USER)

    def stop(self) -> None:
        """End it; nothing of it is worth keeping."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self, home: Path, security: Security, **more: object) -> Settings:
        """Settings of a client that comes to the listener of that name and brings along what `more` says."""
        address = f"{LOOPBACK}:{self.ports[security]}"
        return Settings.model_validate({"home": home, "kafka_bootstrap": address, "kafka_security": security, **more})

    def sasl_ssl(self, home: Path, **more: object) -> Settings:
        """A client as it should be: TLS with a known authority, and a password."""
        ours = {"kafka_ca": self.ca, "kafka_username": USER, "kafka_password": PASSWORD}
        return self.client(home, Security.sasl_ssl, **{**ours, **more})

    def _properties(self) -> str:
        quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        jaas = f'{PLAIN_LOGIN} required username="broker" password="none" user_{USER}="{quoted}";'
        listeners = {way.upper(): port for way, port in self.ports.items() if way is not Security.plaintext}
        addresses = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items())
        inside = f"PLAINTEXT://{LOOPBACK}:{self.own.kafka_port}"
        controller = f"CONTROLLER://{LOOPBACK}:{self.own.kafka_port + 1}"
        lines = {
            "listeners": f"{inside},{controller},{addresses}",
            "advertised.listeners": f"{inside},{addresses}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            + ",".join(f"{name}:{name}" for name in listeners),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca),
            "listener.name.ssl.ssl.client.auth": "required",
        }
        for name in ("sasl_ssl", "sasl_plaintext"):
            lines[f"listener.name.{name}.plain.sasl.jaas.config"] = jaas
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                lines[f"listener.name.{name}.{mechanism}.sasl.jaas.config"] = f"{SCRAM_LOGIN} required;"
        if self.guarded:
            lines["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            lines["super.users"] = "User:ANONYMOUS"  # the broker itself, and `own`
        return "".join(f"{name}={_escaped(value)}\n" for name, value in lines.items())

    def add_user(self, name: str) -> None:
        """Give the user `PASSWORD` for SCRAM."""
        with closing(KafkaAdminClient(**client_config(self.own))) as admin:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):  # one at a time, it wants
                faults = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, mechanism, PASSWORD)])
                assert not any(faults.values()), faults

    def allow(self, name: str, rights: Iterable[Right]) -> None:
        """Give the user these rights."""
        with closing(KafkaAdminClient(**client_config(self.own))) as admin:
            found = admin.create_acls([_acl(name, right) for right in rights])
        assert not found["failed"], found

    def take_away(self, name: str, right: Right) -> None:
        """Take one right from the user."""
        with closing(KafkaAdminClient(**client_config(self.own))) as admin:
            admin.delete_acls([_acl(name, right)])


def _acl(name: str, right: Right) -> ACL:
    operation, kind, resource = right
    return ACL(f"User:{name}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, resource))


def _escaped(value: str) -> str:
    """As a Java properties file wants it."""
    return "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in value.replace("\\", "\\\\"))

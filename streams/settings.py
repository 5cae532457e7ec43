"""What a command needs to know to run: the broker, the names, the port. From options, else from `LEADSYNC_…` variables."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
StoreKind = Literal["memory", "rocksdb"]
STORES: tuple[StoreKind, ...] = get_args(StoreKind)
PORT_MAX = 65_535
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and what is allowed."""


@dataclass(frozen=True)
class Security:
    """How to reach the broker. Secrets are kept out of `repr`."""

    protocol: str = "PLAINTEXT"
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)

    def client_settings(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes. Raises SettingsError for files that cannot be read."""
        settings: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            settings["ssl_context"] = self._ssl_context()
        if self.protocol.startswith("SASL"):
            settings["sasl_mechanism"] = self.sasl_mechanism
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = self.sasl_password
        return settings if self.protocol != "PLAINTEXT" else {}

    def _ssl_context(self) -> ssl.SSLContext:
        for name, path in (("CA", self.ca_file), ("CERTIFICATE", self.certificate_file), ("KEY", self.key_file)):
            _check_readable(f"LEADSYNC_SSL_{name}_FILE", path)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:
            raise SettingsError(f"LEADSYNC_SSL_CA_FILE: {self.ca_file} holds no certificates: {error}") from None
        if self.certificate_file:
            try:
                context.load_cert_chain(self.certificate_file, self.key_file, self.key_password)
            except ssl.SSLError as error:
                with_key = f" with {self.key_file}" if self.key_file else ""
                raise SettingsError(
                    f"LEADSYNC_SSL_CERTIFICATE_FILE: {self.certificate_file}{with_key} cannot be used: {error}"
                ) from None
        return context


def security_from(environment: Mapping[str, str]) -> Security:
    """TLS and SASL settings from `LEADSYNC_SECURITY_PROTOCOL`, `LEADSYNC_SSL_…` and `LEADSYNC_SASL_…`."""
    get = environment.get
    protocol = get("LEADSYNC_SECURITY_PROTOCOL", "PLAINTEXT").upper()
    mechanism = get("LEADSYNC_SASL_MECHANISM", "PLAIN").upper()
    _allowed("LEADSYNC_SECURITY_PROTOCOL", protocol, SECURITY_PROTOCOLS)
    _allowed("LEADSYNC_SASL_MECHANISM", mechanism, SASL_MECHANISMS)
    if protocol.startswith("SASL") and mechanism in SASL_MECHANISMS[:3]:
        for name in ("LEADSYNC_SASL_USERNAME", "LEADSYNC_SASL_PASSWORD"):
            if not get(name):
                raise SettingsError(f"{name} is not set; {protocol} with {mechanism} needs it")
    return Security(
        protocol,
        get("LEADSYNC_SSL_CA_FILE"),
        get("LEADSYNC_SSL_CERTIFICATE_FILE"),
        get("LEADSYNC_SSL_KEY_FILE"),
        get("LEADSYNC_SSL_KEY_PASSWORD"),
        mechanism,
        get("LEADSYNC_SASL_USERNAME"),
        get("LEADSYNC_SASL_PASSWORD"),
    )


def _check_readable(variable: str, path: str | None) -> None:
    """Python's ssl says of a file that is not there only that, and not which."""
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise SettingsError(f"{variable}: {path}: {error.strerror or error}") from None


def _allowed(name: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise SettingsError(f"{name} is {found!r}; allowed are {', '.join(allowed)}")


def _check_address(address: str) -> None:
    """Raises SettingsError for what aiokafka would raise a ValueError over, in the middle of its start."""
    found = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(?::([0-9]+))?", address)
    if found is None or (found[1] and not 1 <= int(found[1]) <= PORT_MAX):
        raise SettingsError(
            f"{address!r} is no broker's address: --bootstrap-servers takes HOST:PORT, several with commas, "
            f"with a port from 1 to {PORT_MAX}"
        )


@dataclass(frozen=True)
class Settings:
    """One installation of leadsync as one process sees it.

    `store`: where a worker keeps its tables; `data_folder`: where on disk, if there, and no other worker's.
    """

    bootstrap_servers: str
    prefix: str = ""
    instance_id: str | None = None
    host: str = "127.0.0.1"
    port: int = 6066
    session_timeout_ms: int = 10_000
    security: Security = field(default_factory=lambda: security_from(os.environ))
    store: StoreKind = "memory"
    data_folder: Path | None = None

    def __post_init__(self) -> None:
        for address in self.bootstrap_servers.split(","):
            _check_address(address.strip())
        if self.store not in STORES:
            raise SettingsError(f"the store is {self.store!r}; allowed are {', '.join(STORES)}")
        if self.store == "rocksdb" and self.data_folder is None:
            raise SettingsError(
                "--store rocksdb keeps the tables on disk: name a folder of this worker's own with --data-folder "
                "or LEADSYNC_DATA_FOLDER"
            )

        if self.store == "memory" and self.data_folder is not None:
            raise SettingsError(
                "--data-folder (LEADSYNC_DATA_FOLDER) is for --store rocksdb: with --store memory nothing is kept on disk"
            )

    @property
    def app_id(self) -> str:
        """Names the consumer group; begins every transactional id and changelog name. Never changes its scheme."""
        return f"{self.prefix}leadsync"

    def topic(self, name: str) -> str:
        """The name on the broker of a topic of the topic table."""
        return f"{self.prefix}{name}"

    def client(self, role: str) -> dict[str, Any]:
        """The arguments of an aiokafka client for this role."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": f"{self.app_id}-{role}",
            **self.security.client_settings(),
        }

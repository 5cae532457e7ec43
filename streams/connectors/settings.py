"""How to reach the two systems: addresses and credentials, from the environment or from files that it names.

A secret comes from `NAME` or from the file that `NAME_FILE` names, never from an argument, which every process list
shows. It is held in a SecretStr, so that no log, error or `repr` can tell it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from streams.settings import SettingsError

DEFAULT_PORTS = {"https": 443, "http": 80}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRET_BYTES_MAX = 16_384
MICROSOFT_LOGIN = "https://login.microsoftonline.com"


@dataclass(frozen=True)
class MarketoConnection:
    """A Marketo instance. `url` without a path; `webhook_secret` authenticates Sync Person calls, None takes none."""

    url: str
    identity_url: str
    client_id: str
    client_secret: SecretStr
    webhook_secret: SecretStr | None = None
    ca_file: str | None = None


@dataclass(frozen=True)
class DynamicsConnection:
    """A Dataverse organisation. `authority` with the tenant is where tokens come from; `webhook_secret` guards the wake-up."""

    url: str
    authority: str
    tenant: str
    client_id: str
    client_secret: SecretStr
    webhook_secret: SecretStr | None = None
    ca_file: str | None = None


def marketo_connection(environment: Mapping[str, str]) -> MarketoConnection:
    """From `LEADSYNC_MARKETO_…`. Raises SettingsError that names what is missing or wrong."""
    url = _host_address(environment, "LEADSYNC_MARKETO_URL")
    return MarketoConnection(
        url,
        _address(environment, "LEADSYNC_MARKETO_IDENTITY_URL", f"{url}/identity"),
        _needed(environment, "LEADSYNC_MARKETO_CLIENT_ID"),
        _secret_needed(environment, "LEADSYNC_MARKETO_CLIENT_SECRET"),
        secret(environment, "LEADSYNC_MARKETO_WEBHOOK_SECRET"),
        _ca_file(environment, "LEADSYNC_MARKETO_CA_FILE"),
    )


def dynamics_connection(environment: Mapping[str, str]) -> DynamicsConnection:
    """From `LEADSYNC_DYNAMICS_…`. Raises SettingsError that names what is missing or wrong."""
    return DynamicsConnection(
        _host_address(environment, "LEADSYNC_DYNAMICS_URL"),
        _address(environment, "LEADSYNC_DYNAMICS_AUTHORITY", MICROSOFT_LOGIN),
        _needed(environment, "LEADSYNC_DYNAMICS_TENANT"),
        _needed(environment, "LEADSYNC_DYNAMICS_CLIENT_ID"),
        _secret_needed(environment, "LEADSYNC_DYNAMICS_CLIENT_SECRET"),
        secret(environment, "LEADSYNC_DYNAMICS_WEBHOOK_SECRET"),
        _ca_file(environment, "LEADSYNC_DYNAMICS_CA_FILE"),
    )


def secret(environment: Mapping[str, str], name: str) -> SecretStr | None:
    """A secret from `name` or from the file that `name_FILE` names; None where neither is set."""
    if value := environment.get(name):
        return SecretStr(value)
    path = environment.get(f"{name}_FILE")
    return None if path is None else secret_in(Path(path), f"{name}_FILE")


def secret_in(path: Path, setting: str) -> SecretStr:
    """The content of a file that `setting` names. Raises SettingsError that shows nothing of it."""
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_BYTES_MAX).decode("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: {path} cannot be read: it is no text in UTF-8") from None
    if not text:
        raise SettingsError(f"{setting}: {path} is empty")
    return SecretStr(text)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Certificates and host names are verified, always. Raises SettingsError for a file that cannot be used."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the certificates in {ca_file} cannot be used: {error}") from None


def _ca_file(environment: Mapping[str, str], name: str) -> str | None:
    if path := environment.get(name):
        tls_context(path)
    return path


def _needed(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise SettingsError(f"{name} is not set")


def _secret_needed(environment: Mapping[str, str], name: str) -> SecretStr:
    found = secret(environment, name)
    if found is None:
        raise SettingsError(f"neither {name} nor {name}_FILE is set")
    return found


def _host_address(environment: Mapping[str, str], name: str) -> str:
    """One without a path: the interfaces of a system have theirs below it, and a copied one would come twice."""
    address = _address(environment, name)
    if path := urlsplit(address).path:
        raise SettingsError(f"{name} is {address!r}; it must end with the host or its port, without {path}")
    return address


def _address(environment: Mapping[str, str], name: str, default: str | None = None) -> str:
    """An https address, spelled as a server spells it in its links: host in small letters, no port that goes without saying.

    http is for simulators on this machine only, since a token would travel in the clear.
    """
    address = (environment.get(name) or default or _needed(environment, name)).rstrip("/")
    parts = urlsplit(address)
    if not parts.hostname or parts.scheme not in DEFAULT_PORTS:
        raise SettingsError(f"{name} is {address!r}; it must be an address such as https://123-abc-456.example.com")
    if parts.username or parts.password or parts.query:
        raise SettingsError(f"{name} must hold no credentials and no query")
    try:
        port = parts.port
    except ValueError:
        raise SettingsError(f"{name} is {address!r}; its port must be a number up to 65535") from None
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError(f"{name} is {address!r}; plain http is for simulators on this machine, use https")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_spelled_out = port is not None and port != DEFAULT_PORTS[parts.scheme]
    return parts._replace(netloc=f"{host}:{port}" if is_spelled_out else host).geturl()

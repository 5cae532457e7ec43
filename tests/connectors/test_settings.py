"""Addresses and credentials: from the environment or files only, and never to be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.connectors.settings import dynamics_connection, marketo_connection, tls_context
from streams.settings import SettingsError

MARKETO = {
    "LEADSYNC_MARKETO_URL": "https://123-abc-456.example.com/",
    "LEADSYNC_MARKETO_CLIENT_ID": "client",
    "LEADSYNC_MARKETO_CLIENT_SECRET": "hunter2",
}
DYNAMICS = {
    "LEADSYNC_DYNAMICS_URL": "https://org.example.com",
    "LEADSYNC_DYNAMICS_TENANT": "tenant",
    "LEADSYNC_DYNAMICS_CLIENT_ID": "client",
    "LEADSYNC_DYNAMICS_CLIENT_SECRET": "hunter2",
}


def test_what_is_not_said_has_its_documented_place() -> None:
    """Marketo's identity service stands beside its REST service, Dynamics' tokens come from Microsoft's login."""
    assert marketo_connection(MARKETO).identity_url == "https://123-abc-456.example.com/identity"
    assert dynamics_connection(DYNAMICS).authority == "https://login.microsoftonline.com"


def test_no_repr_tells_a_secret() -> None:
    """Of either connection, the webhook's included."""
    both = (
        marketo_connection({**MARKETO, "LEADSYNC_MARKETO_WEBHOOK_SECRET": "hunter2"}),
        dynamics_connection({**DYNAMICS, "LEADSYNC_DYNAMICS_WEBHOOK_SECRET": "hunter2"}),
    )
    assert "hunter2" not in repr(both) + str(both)
    assert all(each.client_secret.get_secret_value() == "hunter2" for each in both)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """Its last line feed is not part of it."""
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    given = {name: value for name, value in MARKETO.items() if not name.endswith("SECRET")}
    connection = marketo_connection({**given, "LEADSYNC_MARKETO_CLIENT_SECRET_FILE": str(file)})
    assert connection.client_secret.get_secret_value() == "hunter2"


@pytest.mark.parametrize("name", MARKETO)
def test_what_is_missing_is_named(name: str) -> None:
    """By the variable that has to be set."""
    with pytest.raises(SettingsError, match=name):
        marketo_connection({each: value for each, value in MARKETO.items() if each != name})


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ftp://example.com", "must be an address such as"),
        ("example.com", "must be an address such as"),
        ("http://example.com", "plain http is for simulators on this machine"),
        ("https://user:hunter2@example.com", "must hold no credentials"),
        ("https://example.com?access_token=hunter2", "must hold no credentials and no query"),
        ("https://example.com:99999", "its port must be a number up to 65535"),
        ("https://example.com:https", "its port must be a number up to 65535"),
        ("https://example.com/api/data/v9.2", "must end with the host or its port, without /api/data/v9.2"),
    ],
)
def test_an_address_that_will_not_do_is_told_with_what_is_allowed(address: str, told: str) -> None:
    """And nothing secret of it is shown."""
    with pytest.raises(SettingsError, match=told) as refused:
        dynamics_connection({**DYNAMICS, "LEADSYNC_DYNAMICS_URL": address})
    assert "hunter2" not in str(refused.value) and "LEADSYNC_DYNAMICS_URL" in str(refused.value)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://Org.CRM.Dynamics.com/", "https://org.crm.dynamics.com"),
        ("HTTPS://org.crm.dynamics.com:443", "https://org.crm.dynamics.com"),
        ("https://org.crm.dynamics.com:8443", "https://org.crm.dynamics.com:8443"),
        ("http://LocalHost:80", "http://localhost"),
        ("http://[::1]:8602", "http://[::1]:8602"),
    ],
)
def test_an_address_is_spelled_as_dynamics_spells_it_in_its_links(address: str, url: str) -> None:
    """They would lead to another place else, by the look of it, and get no token of ours."""
    assert dynamics_connection({**DYNAMICS, "LEADSYNC_DYNAMICS_URL": address}).url == url


def test_an_address_keeps_its_path_as_it_is_written() -> None:
    """Marketo's identity service has one."""
    given = {**MARKETO, "LEADSYNC_MARKETO_IDENTITY_URL": "https://123-ABC-456.example.com:443/Identity/"}
    assert marketo_connection(given).identity_url == "https://123-abc-456.example.com/Identity"


def test_plain_http_reaches_a_simulator_on_this_machine() -> None:
    """And nothing beyond it."""
    assert dynamics_connection({**DYNAMICS, "LEADSYNC_DYNAMICS_URL": "http://127.0.0.1:8080"}).url.startswith("http:")


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Before any call."""
    with pytest.raises(SettingsError, match="cannot be used"):
        tls_context(str(tmp_path / "nowhere.pem"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_secret_file_that_holds_none_is_named(tmp_path: Path, content: bytes) -> None:
    """Rather than a login that fails."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    given = {name: value for name, value in DYNAMICS.items() if not name.endswith("SECRET")}
    with pytest.raises(SettingsError, match="LEADSYNC_DYNAMICS_CLIENT_SECRET_FILE"):
        dynamics_connection({**given, "LEADSYNC_DYNAMICS_CLIENT_SECRET_FILE": str(file)})

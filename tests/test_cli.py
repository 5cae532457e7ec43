"""The command line itself: what a mistake of the user, and Ctrl-C, end in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli import Commands, cli
from streams.settings import Security, Settings, SettingsError, security_from

PLAIN = Security()


@pytest.mark.parametrize(
    "servers", ["127.0.0.1:abc", "127.0.0.1:0", "127.0.0.1:65536", ":9092", "a:1,,b:2", "http://a:1", "[::1:9092", ""]
)
def test_an_address_that_is_none_is_refused(servers: str) -> None:
    """With the form that it must have; aiokafka would raise a ValueError over it, or look up nonsense."""
    with pytest.raises(SettingsError, match="HOST:PORT"):
        Settings(servers, security=PLAIN)


@pytest.mark.parametrize("servers", ["broker:9092", "broker", "10.0.0.1:1, 10.0.0.2:65535", "[::1]:9092", "a_b.svc:9"])
def test_addresses_of_brokers(servers: str) -> None:
    """A name, an address, several of them; Kafka's own port where none is said."""
    assert Settings(servers, security=PLAIN).bootstrap_servers == servers


@pytest.mark.parametrize("name", ["CA", "CERTIFICATE", "KEY"])
def test_a_tls_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    """With the variable that says it: Python's ssl tells neither."""
    there, missing = tmp_path / "there.pem", tmp_path / "missing.pem"
    there.write_bytes(b"")
    files = {f"LEADSYNC_SSL_{each}_FILE": str(there) for each in ("CA", "CERTIFICATE", "KEY")}
    environment = {"LEADSYNC_SECURITY_PROTOCOL": "SSL", **files, f"LEADSYNC_SSL_{name}_FILE": str(missing)}
    with pytest.raises(SettingsError) as refusal:
        security_from(environment).client_settings()
    assert str(refusal.value) == f"LEADSYNC_SSL_{name}_FILE: {missing}: No such file or directory"


def test_a_tls_file_without_certificates_is_named(tmp_path: Path) -> None:
    """What is wrong with it is OpenSSL's to say."""
    empty = tmp_path / "ca.pem"
    empty.write_bytes(b"no certificate")
    with pytest.raises(SettingsError, match=f"LEADSYNC_SSL_CA_FILE: {empty} holds no certificates"):
        Security("SSL", str(empty)).client_settings()


def test_a_data_folder_without_its_store_is_refused(tmp_path: Path) -> None:
    """Nothing would be kept there, and nobody would be told."""
    result = CliRunner().invoke(cli, ["worker", "--bootstrap-servers", "a:1", "--data-folder", str(tmp_path)])
    assert isinstance(result.exception, SettingsError) and "--store rocksdb" in str(result.exception)


@pytest.mark.parametrize("session", ["5", "99999999"])
def test_a_session_that_no_broker_takes_is_refused(session: str) -> None:
    """With the range, instead of an error that the broker gives after the start."""
    result = CliRunner().invoke(cli, ["worker", "--session-timeout-ms", session])
    assert result.exit_code == 2
    assert "1000<=x<=1800000" in result.stderr


def test_no_command_is_cut_short_in_the_list_of_them() -> None:
    """A first sentence of 60 characters fits beside its name at 80 columns."""
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    said = [command.get_short_help_str(60) for command in commands if command is not None]
    assert [each for each in said if each.endswith("...")] == []


def test_every_command_that_is_named_somewhere_is_one() -> None:
    """With the options that it has: what a message advises, somebody will type."""
    root = Path(__file__).parents[1]
    texts = [root / "README.md", root / "docker-compose.yml", *(root / "deploy").glob("*.md")]
    texts += [path for kind in ("*.py", "*.yaml", "*.md") for path in (root / "streams").rglob(kind)]
    named = {each for path in texts for each in re.findall(r"`(leadsync [a-z][^`\n]*)`", path.read_text())}
    assert len(named) > 30
    assert [each for each in sorted(named) if not _is_understood(each)] == []


def _is_understood(line: str) -> bool:
    command: click.Command | None = cli
    words = line.removesuffix(" …").split()[1:]
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(click.Context(command)).parse_args(words)
        command, words = command.get_command(click.Context(command), words[0]) if words else None, words[1:]
        if not words:
            return command is not None
    if command is None:
        return False
    try:
        _, more, _ = command.make_parser(click.Context(command)).parse_args(words)
    except click.BadOptionUsage:  # an option that is only named has no value
        return True
    except click.UsageError:
        return False
    return not more


@click.command()
def interrupted() -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_with_130() -> None:
    """One status for all of them, and no traceback."""
    commands = Commands(places={"interrupted": f"{__name__}:interrupted"})
    result = CliRunner().invoke(commands, ["interrupted"])
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_while_the_command_line_is_imported_is_no_traceback() -> None:
    """An import hook stands in for the moment."""
    hook = "class Ctrl: find_spec = lambda self, name, *_: (_ for _ in ()).throw(KeyboardInterrupt) if 'cli' in name else None"
    script = f"import sys; from streams.__main__ import main\n{hook}\nsys.meta_path.insert(0, Ctrl()); main()"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_full_disk_is_told_in_one_line() -> None:
    """A recording may be larger than what is left."""
    with Path("/dev/full").open("wb") as full:
        asking = [sys.executable, "-m", "streams", "--help"]
        ended = subprocess.run(asking, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    told = "leadsync: the output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (2, told)


def test_help_waits_for_no_large_import() -> None:
    """Ctrl-C in the first second would meet it, outside of any command: Faust is imported where it is needed."""
    asking = "import sys; from streams.cli import main; sys.argv[1:] = ['worker', '--help']"
    script = f"{asking}\ntry: main()\nfinally: sys.exit(9 if 'faust' in sys.modules else 0)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0

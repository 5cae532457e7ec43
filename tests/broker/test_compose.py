"""docker-compose.yml and what it mounts, without an engine: the specification's schema, and our own table of settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from streams.broker.lock import kafka_version
from streams.broker.settings import CLUSTER_ID, SHARED, Ports, as_environment, broker_settings
from tests.broker.in_docker import environment

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))

# Where each broker is reached, and where it keeps its data, is its own affair; every other setting is shared.
OWN = {
    "KAFKA_LISTENERS",
    "KAFKA_ADVERTISED_LISTENERS",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
    "KAFKA_INTER_BROKER_LISTENER_NAME",
    "KAFKA_CONTROLLER_QUORUM_VOTERS",
    "KAFKA_LOG_DIRS",
}


def load(path: str) -> Any:
    return YAML(typ="safe").load((ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> Any:
    return load("docker-compose.yml")


@pytest.fixture(scope="module")
def services(compose: Any) -> Any:
    return compose["services"]


def test_it_keeps_to_the_compose_specification(compose: Any) -> None:
    """Every key and value is one that the specification knows."""
    validator = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose)] == []


def test_the_schema_would_notice_a_typing_error(compose: Any) -> None:
    """The check above is worth something: a misspelt key is found."""
    broken = {**compose, "services": {"kafka": {"image": "apache/kafka:4.3.0", "enviroment": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="enviroment"):
        jsonschema.validate(broken, SCHEMA)


def test_it_starts_kafka_a_worker_prometheus_and_grafana(services: Any) -> None:
    """And the topics before the worker; the connectors only where they are asked for."""
    asked_for = {name for name, service in services.items() if service.get("profiles")}
    assert set(services) - asked_for == {"kafka", "topics", "worker", "prometheus", "grafana"}
    assert asked_for == {"marketo", "dynamics"}
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_every_image_has_a_version(services: Any) -> None:
    """`latest`, or no tag, is another program tomorrow."""
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+", service["image"]), f"{name}: give {service['image']} the tag of a version"


def test_kafka_is_the_official_image_of_the_locked_version(services: Any) -> None:
    """`docker compose up` and `leadsync broker` run the same Kafka."""
    assert services["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_its_settings_are_those_of_leadsync_broker(services: Any) -> None:
    """What works on one broker works on the other; change streams/broker/settings.py and this file together."""
    given = services["kafka"]["environment"]
    assert given.pop("CLUSTER_ID") == CLUSTER_ID
    assert {name: value for name, value in given.items() if name not in OWN} == as_environment(SHARED)
    assert set(given) >= OWN


def test_the_testcontainers_broker_has_them_too() -> None:
    """The third way to a broker reads the same table."""
    given = environment("127.0.0.1:1")
    assert as_environment(SHARED).items() <= given.items()
    assert set(given) == {*as_environment(SHARED), *OWN, "CLUSTER_ID"}


def test_the_local_broker_has_each_of_them() -> None:
    """What is its own (ports, folder, session) replaces nothing that is shared."""
    assert SHARED.items() <= broker_settings(Ports(client=1, controller=2)).items()


def test_listeners_fit_together(services: Any) -> None:
    """Containers come in at kafka:9092, this machine at 127.0.0.1:9092: advertised, mapped and published alike."""
    given = services["kafka"]["environment"]
    advertised = dict(entry.split("://") for entry in given["KAFKA_ADVERTISED_LISTENERS"].split(","))
    listening = {
        name: address.rpartition(":")[2]
        for name, address in (entry.split("://") for entry in given["KAFKA_LISTENERS"].split(","))
    }
    protocols = dict(entry.split(":") for entry in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(listening) == set(protocols) == {*advertised, given["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert services["kafka"]["ports"] == [f"{advertised['HOST']}:{listening['HOST']}"]
    assert services["worker"]["environment"]["LEADSYNC_BOOTSTRAP_SERVERS"] == advertised["PLAINTEXT"]
    assert given["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{given['KAFKA_NODE_ID']}@kafka:{listening['CONTROLLER']}"


def test_ports_are_published_on_the_loopback_interface_only(services: Any) -> None:
    """Nothing here asks for a password."""
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_each_worker_is_a_static_member_of_its_own(services: Any, tmp_path: Path) -> None:
    """By its container's name, and as process 1, so that signals reach it; `hostname` would give all of them the same."""
    assert "hostname" not in services["worker"] and "LEADSYNC_INSTANCE_ID" not in services["worker"]["environment"]
    (tmp_path / "leadsync").write_text('#!/bin/sh\necho "$LEADSYNC_INSTANCE_ID $* $$"\n')
    (tmp_path / "leadsync").chmod(0o755)
    entrypoint = [part.replace("$$", "$") for part in services["worker"]["entrypoint"]]  # as compose reads it
    for name in ("2f6c1a", "9b07de"):
        container = {"HOSTNAME": name, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        with subprocess.Popen(entrypoint, env=container, stdout=subprocess.PIPE, text=True) as process:
            said, _ = process.communicate(timeout=20)
        assert said.split() == [name, "worker", str(process.pid)]


def test_the_connectors_get_their_secrets_as_files(compose: Any, services: Any) -> None:
    """What stands in a container's environment, whoever may inspect it can read; and nothing of it is in the repository."""
    for name in ("marketo", "dynamics"):
        given = services[name]["environment"]
        assert name in services[name]["secrets"] and not [each for each in given if each.endswith("_SECRET")]
        assert given[f"LEADSYNC_{name.upper()}_CLIENT_SECRET_FILE"] == f"/run/secrets/{name}"
        assert {name: each["file"] for name, each in compose["secrets"].items()} == {
            name: f"./secrets/{name}" for name in ("marketo", "marketo-webhook", "dynamics")
        }
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_prometheus_reads_worker_and_connectors_where_they_listen(services: Any) -> None:
    """Every container of each service, at the port its environment says."""
    (job,) = load("deploy/prometheus.yml")["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert discovery["names"] == ["worker", "marketo", "dynamics"]
    for name in discovery["names"]:
        assert str(discovery["port"]) == services[name]["environment"]["LEADSYNC_PORT"]
        assert services[name]["environment"]["LEADSYNC_HOST"] == "0.0.0.0"


def test_grafana_finds_its_source_and_its_dashboards(services: Any) -> None:
    """Provisioned: the one data source, by the uid that the dashboard names, and the folder that is mounted."""
    (source,) = load("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = load("deploy/grafana/provisioning/dashboards/leadsync.yml")["providers"]
    mounted = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"])


def test_what_is_mounted_built_and_copied_exists(compose: Any, services: Any) -> None:
    """A bind mount of a missing path makes Docker create an empty folder there, and nothing complains."""
    for service in services.values():
        for source, _, _ in (volume.partition(":") for volume in service.get("volumes", [])):
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
    dockerfile = (ROOT / services["worker"]["build"]["dockerfile"]).read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)", dockerfile, re.M) for name in line.split()[:-1]]
    allowed = (ROOT / f"{services['worker']['build']['dockerfile']}.dockerignore").read_text(encoding="utf-8").split()
    assert copied and [name for name in copied if not (ROOT / name).exists()] == []
    assert {f"!{name}" for name in copied} <= set(allowed)


def test_the_container_checks_that_it_is_live(services: Any) -> None:
    """On the port of the worker's default environment, as another user than root."""
    dockerfile = (ROOT / services["worker"]["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert "/health/live" in dockerfile and "HEALTHCHECK" in dockerfile
    assert "USER leadsync" in dockerfile and "LEADSYNC_PORT=6066" in dockerfile
    assert "--require-hashes -r requirements.lock" in dockerfile

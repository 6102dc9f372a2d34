"""What stands in deploy/: valid by the schemas of the tools that read it, as careful as the documentation says, tried where it can be."""

import configparser
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from collector.config import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
TOOLS = Path(sys.executable).parent
OLDEST_KUBERNETES = "1.30"


def manifests() -> list[dict[str, Any]]:
    """All resources, in the order of the kustomization."""
    names = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    assert sorted(names) == sorted(path.name for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml")
    return [resource for name in names for resource in yaml.safe_load_all((MANIFESTS / name).read_text())]


def one(kind: str) -> dict[str, Any]:
    return next(resource for resource in manifests() if resource["kind"] == kind)


def container() -> dict[str, Any]:
    return dict(one("StatefulSet")["spec"]["template"]["spec"]["containers"][0])


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_manifests_are_valid(version: str) -> None:
    """Strictly: a key that Kubernetes does not know is an error, too."""
    for resource in manifests():
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_compose_file_is_valid() -> None:
    command = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_the_dockerfile_has_no_finding() -> None:
    checked = subprocess.run([TOOLS / "hadolint", "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_image_holds_the_packages_of_the_wheel_and_the_hashed_lock() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {line.split()[1] for line in lines if re.fullmatch(r"COPY (\w+) \1", line)} == set(packages)
    assert any("--require-hashes --requirement requirements.lock" in line for line in lines)
    let_in = [line.removeprefix("!") for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = {word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]}
    assert copied == set(let_in)
    assert all((ROOT / name).exists() for name in let_in)


def test_nothing_names_a_registry() -> None:
    """Nor any other host than this one: images and packages come from where the operator says."""
    for path in DEPLOY.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert re.findall(r"://(?!127\.0\.0\.1|otlp_|host)[\w.-]+", path.read_text()) == [], path
            assert not re.search(r"\b(docker|gcr|ghcr|quay)\.io\b", path.read_text()), path
    images = [line.split()[1] for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")]
    images += [container()["image"], yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["collector"]["image"]]
    assert all("/" not in image and re.search(r":\S+$", image) and not image.endswith(":latest") for image in images), images


def test_pods_are_restricted_as_far_as_kubernetes_can() -> None:
    """The "restricted" Pod Security Standard, a root that is read-only, and no token of the cluster."""
    pod = one("StatefulSet")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch", "the keys are 0600 and refused otherwise"
    security = container()["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"memory", "cpu"} <= set(container()["resources"]["requests"])
    assert "memory" in container()["resources"]["limits"]


def test_probes_ask_what_answers_and_services_reach_what_listens() -> None:
    config = load(MANIFESTS / ".." / "otel-config.yaml", {})
    assert config.otlp.grpc
    assert config.otlp.http
    assert config.health_check
    listening = {"otlp-grpc": config.otlp.grpc.endpoint, "otlp-http": config.otlp.http.endpoint, "health": config.health_check.endpoint}
    ports = {name: int(endpoint.rpartition(":")[2]) for name, endpoint in listening.items()}
    assert {port["name"]: port["containerPort"] for port in container()["ports"]} == ports
    assert container()["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "health"}
    assert container()["startupProbe"]["httpGet"] == {"path": "/ready", "port": "health"}
    assert container()["livenessProbe"]["httpGet"] == {"path": "/live", "port": "health"}
    services = [resource for resource in manifests() if resource["kind"] == "Service"]
    assert all(ports[port["targetPort"]] == port["port"] for service in services for port in service["spec"]["ports"])
    selectors = [
        one("PodDisruptionBudget")["spec"]["selector"],
        one("NetworkPolicy")["spec"]["podSelector"],
        one("StatefulSet")["spec"]["selector"],
    ]
    labels = one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert all(selector["matchLabels"] == labels for selector in selectors)
    assert all(service["spec"]["selector"] == labels for service in services)


def test_the_config_map_holds_the_configuration_of_the_image() -> None:
    assert one("ConfigMap")["data"]["otel-config.yaml"] == (DEPLOY / "otel-config.yaml").read_text()


def test_whoever_reaches_the_collector_has_to_authenticate() -> None:
    config = load(DEPLOY / "otel-config.yaml", {"AUDITLAKE_WORKERS": "2"})
    assert config.workers == 2
    for protocol in (config.otlp.grpc, config.otlp.http):
        assert protocol is not None
        assert protocol.auth is not None
        assert protocol.auth.authenticator in config.authenticators


def test_compose_runs_it_read_only_and_reachable_from_this_machine_alone() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["collector"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_a_token_that_is_withdrawn_is_withdrawn_in_what_runs() -> None:
    """A copy of the file, or the file mounted by itself, would stay as it was at the start."""
    tokens = load(DEPLOY / "otel-config.yaml", {}).authenticators["bearertokenauth"].filename  # type: ignore[union-attr]
    assert str(tokens) == "/etc/auditlake/secrets/tokens"
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["collector"]
    assert "./secrets:/etc/auditlake/secrets:ro" in compose["volumes"]
    assert "AUDITLAKE_TOKENS" not in compose["environment"]
    assert {"name": "tokens", "mountPath": "/etc/auditlake/secrets", "readOnly": True} in container()["volumeMounts"]
    assert not re.search(r"^(LoadCredential|Environment=AUDITLAKE_TOKENS)", (DEPLOY / "auditlake.service").read_text(), re.MULTILINE)


def test_the_unit_starts_a_command_that_exists_and_waits_long_enough_for_its_stop() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "auditlake.service")
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/auditlake/bin/auditlake collect --config /etc/auditlake/otel-config.yaml --workers 2"
    assert (service["KillMode"], service["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("mixed", "always", "0")
    assert "RestartPreventExitStatus" not in service, "a full disk, a port that is taken and a wrong configuration are all exit code 2"
    assert int(service["TimeoutStopSec"]) > 10
    assert {service[name] for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome")} == {"yes"}
    assert service["ProtectSystem"] == "strict"


def test_a_collector_in_front_keeps_what_it_acknowledged_on_disk() -> None:
    """The batch processor acknowledges before anything is kept."""
    config = yaml.safe_load((DEPLOY / "opentelemetry-collector.yaml").read_text())
    assert "batch" not in config["processors"]
    queue = config["exporters"]["otlp/auditlake"]["sending_queue"]
    assert queue["storage"] in config["extensions"]
    assert queue["storage"] in config["service"]["extensions"]
    assert config["exporters"]["otlp/auditlake"]["retry_on_failure"]["max_elapsed_time"] == 0


def test_the_load_balancer_writes_nothing_of_what_passes_to_its_disk() -> None:
    """Nobody has redacted it yet."""
    text = (DEPLOY / "nginx.conf").read_text()
    assert text.count("proxy_pass ") == text.count("proxy_request_buffering off;") == 1
    assert "access_log off;" in text


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="namespaces and mounts need root on Linux")
def test_the_entry_point_runs_as_a_nameless_user_on_a_read_only_root() -> None:
    tried = subprocess.run([DEPLOY / "try-entrypoint.sh", sys.prefix], capture_output=True, text=True, timeout=300)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert tried.stdout.count("ok  ") == len(tried.stdout.splitlines()) == 7

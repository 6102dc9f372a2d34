"""docs/admission.md: its commands and configurations do what it says."""

import re
import subprocess
from pathlib import Path

import yaml

from collector.config import parse
from collector.config_admission import (
    AllowanceConfig,
    BasicAuthConfig,
    BearerTokenAuthConfig,
    CorsConfig,
    LimitsConfig,
    TlsConfig,
    TokenConfig,
)
from collector.config_receivers import GrpcConfig, HttpConfig
from tests.collector.served import Served

PAGE = (Path(__file__).parents[2] / "docs" / "admission.md").read_text()
SHELL = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def shell(folder: Path, commands: str, **variables: str) -> str:
    """Run commands of the page and return what they print."""
    given = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    done = subprocess.run(["sh", "-euc", given + commands], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_what_the_page_has_people_type_works(tmp_path: Path) -> None:
    """A token is made, configured as a hash, and taken; without it nobody gets in; the same under TLS."""
    token = shell(tmp_path, SHELL[0] + 'printf %s "$TOKEN"')
    assert token not in (tmp_path / "tokens").read_text()
    assert parse(YAML[0], "page", {}, folder=tmp_path).warnings == ()
    text = (
        YAML[0]
        .replace("filename: tokens", f"filename: {tmp_path}/tokens")
        .replace("health_check: {}", "health_check: {endpoint: '127.0.0.1:0'}")
    )
    text = text.replace("127.0.0.1:4317", "127.0.0.1:0").replace("127.0.0.1:4318", "127.0.0.1:0")
    served = Served(text)
    curl = SHELL[1].partition("\n")[0].replace("4318", str(served.listeners.ports.http))
    assert shell(tmp_path, curl, TOKEN=token).startswith("HTTP/1.1 200 ")
    assert shell(tmp_path, curl, TOKEN="x").startswith("HTTP/1.1 401 ")
    served.close()

    make, send = SHELL[2].partition("curl")[0], "curl -sS -i" + SHELL[2].partition("curl")[2].partition("\n")[0]
    shell(tmp_path, make)
    tls = f"http: {{tls: {{cert_file: {tmp_path}/server.pem, key_file: {tmp_path}/server.key}},"
    served = Served(text.replace("http: {", tls))
    assert shell(tmp_path, send.replace("4318", str(served.listeners.ports.http)), TOKEN=token).startswith("HTTP/1.1 200 ")
    served.close()


def test_the_other_configurations_are_valid() -> None:
    for text in YAML[1:]:
        for protocol, values in yaml.safe_load(text).items():
            {"grpc": GrpcConfig, "http": HttpConfig}[protocol].model_validate(values)


def test_every_key_stands_on_the_page() -> None:
    models = (AllowanceConfig, BasicAuthConfig, BearerTokenAuthConfig, CorsConfig, LimitsConfig, TlsConfig, TokenConfig)
    keys = {key for model in models for key in model.model_fields} - {"ca_file", "ca_pem", "exposed_headers"}
    assert {key for key in keys if not re.search(rf"\b{key}\b", PAGE)} == set()

"""A real dashboard over the fixture lake, and a real headless Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.dashboards import fixture_lake

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
START_SECONDS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `auditlake dashboard`."""
    data = tmp_path_factory.mktemp("lake")
    now = time.time_ns()
    fixture_lake.publish(data, fixture_lake.history(now, runs=70), now)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "cli", "dashboard", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "sdk")])}
    with (data / "log").open("wb") as log, subprocess.Popen(command, cwd=data, env=environment, stdout=log, stderr=log) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            assert server.wait(20) == 0, "the dashboard ends cleanly on SIGTERM"


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        assert server.poll() is None, "the dashboard ended at its start"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("the dashboard did not start")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium of the system where there is one, else Playwright's."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        yield browser
        browser.close()


class Watch:
    """What the page asked for and complained about."""

    def __init__(self, page: Page, site: str) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on(
            "request", lambda request: self.foreign.append(request.url) if not request.url.startswith((site, "data:", "blob:")) else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type == "error" and "404" not in message.text else None
        )


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1440, "height": 1000}, timezone_id="Europe/Berlin")
    yield context
    context.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, timezone_id="Europe/Berlin")
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def watch(page: Page, site: str) -> Watch:
    return Watch(page, site)

"""The console in a real Chromium, on a real gateway: an operator's morning, and a partner's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.samples
from gateway.core.schematron.catalogue import default_rule_packs
from tests.broker import free_port
from tests.chromium import browser
from tests.console.driving import AXE, Driver
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.browser, pytest.mark.ssh, pytest.mark.timeout(300)]

FOLDER = Path(gateway.samples.__file__).parent
PASSWORD = "seven herons over the canal"
PAGES = (
    *("", "interchanges", "search?text=FA", "queue", "quarantine", "holds", "partners", "rules"),
    *("statistics", "audit", "account", "alerts", "partners/acme"),
)


class Site:
    """A gateway with one rejected invoice, and one it could not judge for want of its rules."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.gateway = GatewayProcess(
            folder / "gateway",
            sftp_processes=1,
            partners=("acme", "beta"),
            settings=f"[management]\nenabled = true\nport = {self.port}\n",
        )
        self.packs = folder / "gateway" / "packs"
        self.packs.mkdir()
        text = self.gateway.config.read_text()
        self.gateway.config.write_text(text.replace("[paths]\n", '[paths]\nrule_packs = "packs"\n'))
        beta = folder / "gateway" / "partners" / "beta.toml"
        beta.write_text(beta.read_text().replace("ctc-fr-invoice", "en16931-invoice"))
        self.password = folder / "password"
        self.password.write_text(PASSWORD)

    @property
    def base(self) -> str:
        """Where the console is."""
        return f"http://127.0.0.1:{self.port}/console/"

    def start(self) -> None:
        """Run it, with its people and two files."""
        self.gateway.start()
        for words in (
            ("ada", "--role", "operator"),
            ("grace", "--role", "administrator"),
            ("beta-desk", "--role", "operator", "--partner", "beta"),
        ):
            done = self.gateway.command(
                "user", "add", *words, "--password-file", str(self.password)
            )
            assert done.returncode == 0, done.stderr
        for partner, name in (("acme", "ubl-invoice-faulty.xml"), ("beta", "cii-invoice.xml")):
            done = self.gateway.sftp([f"put {FOLDER / name} in/{name}"], partner=partner)
            assert done.returncode == 0, done.stderr

    def mend(self) -> None:
        """Bring the rules that were missing."""
        shutil.copytree(default_rule_packs(), self.packs, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the module: to compile rules takes a while."""
    made = Site(tmp_path_factory.mktemp("console"))
    made.start()
    try:
        yield made
    finally:
        made.gateway.ensure_gone()


@pytest.fixture
def driver(site: Site) -> Iterator[Driver]:
    """A browser on it."""
    with browser(loopback=True) as page:
        yield Driver(page, site.base)


def log_in(driver: Driver, name: str = "ada") -> None:
    """As a person does."""
    driver.go("login?lang=en")
    driver.fill("Name", name)
    driver.fill("Password", PASSWORD)
    driver.press("Log in")


def test_an_operators_morning(site: Site, driver: Driver) -> None:
    """Logs in, finds the rejected invoice, reads why, replays it; mends, and releases the other."""
    driver.go("")
    assert driver.title == "Log in"
    log_in(driver)
    assert driver.title == "Flows"
    driver.until("", "1 in quarantine")
    # The rejected one.
    driver.until("search?text=FA-2026&verdict=rejected", "FA-2026-00188")
    driver.press("FA-2026-00188")
    assert "BR-CO-15" in driver.text
    assert "45.00 too much" in driver.text
    driver.press("ubl-invoice-faulty.xml")
    driver.until(driver.page.evaluate("location.pathname").removeprefix("/console/"), "Replay …")
    driver.press("Replay …")
    driver.press("Try")
    assert "1 judged again, 0 would change." in driver.text
    driver.press("Commit the replay")
    assert "Judged again: the new verdicts and a new report follow." in driver.text
    # The one in quarantine.
    driver.go("quarantine")
    assert "cii-invoice.xml" in driver.text
    site.mend()
    driver.press("Release")
    assert "Released: it is being judged again" in driver.text
    here = driver.page.evaluate("location.pathname").removeprefix("/console/")
    driver.until(here, "answered")
    assert "1 accepted" in driver.text
    driver.go("audit")
    for action in ("replay.try", "replay.commit", "quarantine.release", "login", "user.add"):
        assert action in driver.text
    driver.press("Log out")
    driver.go("queue")
    assert driver.title == "Log in"


def test_a_partners_own_view(site: Site, driver: Driver, tmp_path: Path) -> None:
    """Sees its own file and no other; drops one, and reads its verdict."""
    log_in(driver, "beta-desk")
    assert driver.title == "My files"
    assert "cii-invoice.xml" in driver.text
    assert "ubl-invoice-faulty.xml" not in driver.text
    dropped = tmp_path / "dropped by hand.xml"
    dropped.write_bytes((FOLDER / "ubl-invoice.xml").read_bytes())
    document = driver.page.ask("DOM.getDocument")["root"]["nodeId"]
    chosen = driver.page.ask("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    driver.page.ask("DOM.setFileInputFiles", nodeId=chosen, files=[str(dropped)])
    driver.press("Send")
    assert driver.title == "dropped by hand.xml"
    assert "Received. Its verdict appears below" in driver.text
    here = driver.page.evaluate("location.pathname").removeprefix("/console/")
    driver.until(here, "1 accepted")
    driver.go("quarantine")
    assert driver.title == "You may not do this"


def test_an_administrator_decides_who_logs_in(driver: Driver) -> None:
    """Adds somebody, who has no such page; takes the login away again, by writing its name."""
    log_in(driver, "grace")
    driver.press("Users")
    for width in (360, 1280):
        driver.look(width)
        assert driver.too_wide <= 0, width
    assert not AXE.exists() or driver.barriers() == []
    driver.fill("Name", "newcomer")
    driver.fill("New password", PASSWORD)
    driver.fill("New password, once more", PASSWORD)
    driver.press("Add")
    assert "They may log in now." in driver.text
    driver.press("Log out")
    log_in(driver, "newcomer")
    assert driver.title == "Flows"
    driver.go("users")
    assert driver.title == "You may not do this"
    driver.go("")
    driver.press("Log out")
    log_in(driver, "grace")
    driver.go("users/one?name=newcomer")
    assert driver.title == "newcomer"
    assert not AXE.exists() or driver.barriers() == []
    assert driver.too_wide <= 0
    driver.fill("Name, once more", "newcomer")
    driver.press("Remove this login")
    assert "Nobody logs in by that name any more" in driver.text
    assert driver.complaints() == []


def test_a_test_exchange(driver: Driver) -> None:
    """The check of a partner, from its page to the outcome of each step."""
    log_in(driver)
    driver.press("Partners")
    driver.press("acme")
    driver.press("Try")
    assert "Everything that was tried works." in driver.text
    assert "files of the configuration" in driver.text
    assert driver.too_wide <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_fits_every_screen(driver: Driver, dark: bool) -> None:
    """No page is wider than the window, and the browser complains of nothing."""
    log_in(driver)
    for path in PAGES:
        driver.go(path)
        for width in (360, 768, 1280, 2560):
            driver.look(width, dark=dark)
            assert driver.too_wide <= 0, (path, width)
        assert driver.complaints() == [], path


def test_no_serious_barrier(driver: Driver) -> None:
    """axe-core finds nothing serious on any page, light or dark, narrow or wide."""
    if not AXE.exists():
        why = AXE.with_name("why-not")
        pytest.skip(f"axe-core is not here: {why.read_text() if why.exists() else 'install-axe'}")
    driver.go("login?lang=fr")
    assert driver.barriers() == []
    log_in(driver)
    interchanges = []
    for path in PAGES:
        driver.go(path)
        for width, dark in ((1280, False), (360, True)):
            driver.look(width, dark=dark)
            assert driver.barriers() == [], (path, width, dark)
        if path == "interchanges":
            interchanges = driver.page.evaluate(
                "[...document.querySelectorAll('td a')].map((each) => each.pathname)"
            )
    for path in interchanges[:2]:
        driver.go(path.removeprefix("/console/"))
        assert driver.barriers() == [], path
        driver.go(f"{path.removeprefix('/console/')}/documents/1")
        assert driver.barriers() == [], path


def test_live_numbers_reach_the_page(driver: Driver) -> None:
    """Server-sent events: the browser asks again by itself, and the page shows the number."""
    log_in(driver)
    driver.page.evaluate("document.querySelector('[data-live=accepted]').textContent = '?'")
    end = 15_000
    said = driver.page.ask(
        "Runtime.evaluate",
        expression="new Promise((done) => { const look = () => {"
        " const text = document.querySelector('[data-live=accepted]').textContent;"
        " if (text !== '?') done(text); else setTimeout(look, 100); }; look();"
        f" setTimeout(() => done('never'), {end}); }})",
        awaitPromise=True,
        returnByValue=True,
    )
    assert said["result"]["value"].isdigit()


def test_keyboard_alone(driver: Driver) -> None:
    """The first Tab offers the way past the menu; focus is seen wherever it stands."""
    log_in(driver)
    driver.press_key("Tab", 9)
    assert driver.focused() == "To the content"
    driver.press_key("Enter", 13)
    assert driver.page.evaluate("document.activeElement.id") == "main"

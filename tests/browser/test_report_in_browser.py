"""The report as its readers open it: a file, without a network, by day and by night, on a
telephone."""

import os
import subprocess
import sys

import pytest
from axe import harmful_findings

from fer_utils.core.paths import project_root
from fer_utils.core.profiles import load_profile

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

LIGHT, DARK, TELEPHONE = ("light", 1200), ("dark", 1200), ("light", 390)
ON_SCREEN = """link => {
  const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const box = target.getBoundingClientRect();
  return box.top < innerHeight && box.bottom > 0;
}"""


@pytest.fixture(scope="module")
def report(smoke_project):
    """The report of the smoke run."""
    made = subprocess.run(
        [sys.executable, "-m", "fer_utils", "report", "--profile", "smoke"],
        capture_output=True,
        text=True,
        env=os.environ | {"FER_ROOT": str(smoke_project)},
        check=False,
        timeout=300,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return smoke_project / load_profile("smoke").paths.report.relative_to(project_root())


class Visit:
    """An open report: page of playwright, asked: addresses it wanted from the network, complaints
    of the console."""

    def __init__(self, browser, report, scheme, width):
        self.context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 844}, offline=True
        )
        self.page, self.asked, self.complaints = self.context.new_page(), [], []
        own = report.as_uri()
        self.page.on(
            "request",
            lambda request: (
                request.url.split("#")[0] == own
                or request.url.startswith("data:")
                or self.asked.append(request.url)
            ),
        )
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(message.text),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(own)


@pytest.fixture
def visit(browser, report):
    """Opens the report in a color scheme at a width; closed after the test."""
    visits = []

    def opened(scheme, width):
        visits.append(Visit(browser, report, scheme, width))
        return visits[-1]

    yield opened
    for one in visits:
        one.context.close()


@pytest.mark.parametrize("scheme, width", [LIGHT, DARK, TELEPHONE])
def test_it_opens_without_asking_the_network_for_anything_and_fits_the_width(
    scheme, width, visit, screenshots
):
    seen = visit(scheme, width)
    assert "companion" in seen.page.locator("header").inner_text()
    assert seen.page.evaluate(
        "document.images.length > 0 && [...document.images].every(image => image.complete &&"
        " image.naturalWidth > 0)"
    )
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.asked == [] and seen.complaints == []
    screenshots.mkdir(parents=True, exist_ok=True)
    seen.page.screenshot(path=screenshots / f"report_{scheme}_{width}.png")


def test_dark_is_dark_and_light_is_light(visit):
    shine = {
        scheme: sum(
            map(
                int,
                visit(scheme, width).page.evaluate(
                    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)"
                ),
            )
        )
        for scheme, width in (LIGHT, DARK)
    }
    assert shine["dark"] < 200 and shine["light"] > 600


@pytest.mark.parametrize("scheme, width", [LIGHT, DARK, TELEPHONE])
def test_axe_finds_nothing_serious_or_critical_in_it(scheme, width, visit, axe):
    assert harmful_findings(visit(scheme, width).page, axe) == []


def test_axe_finds_what_is_planted(visit, axe):
    page = visit(*LIGHT).page
    page.evaluate(
        "text => document.querySelector('main').insertAdjacentHTML('afterbegin', text)",
        '<img src="data:,"><p style="color:#ccc;background:#fff">pale</p>',
    )
    found = " ".join(harmful_findings(page, axe, "main"))
    assert "alternative text" in found and "contrast" in found


def test_every_link_within_it_leads_somewhere_and_those_of_its_contents_can_be_clicked(visit):
    page = visit(*LIGHT).page
    lost = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(link => link.hash.slice(1))"
        ".filter(name => !document.getElementById(decodeURIComponent(name)))"
    )
    assert lost == []
    links = page.locator("nav.contents a")
    assert links.count() > 7
    for link in links.all():
        link.click()
        assert page.evaluate("location.hash") == link.get_attribute("href")
        assert link.evaluate(ON_SCREEN), link.inner_text()

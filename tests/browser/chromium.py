"""Chromium without a window."""

import shutil
from contextlib import contextmanager

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    """Where the system's own Chromium or Chrome is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def running():
    """A browser of playwright until the block ends; ImportError where playwright is not
    installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=["--no-sandbox"])
        yield browser
        browser.close()

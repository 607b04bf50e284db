"""Finds a browser for the tests and the pictures of pages."""

import os
import shutil

NAMES = ("chromium", "google-chrome", "chromium-browser")
HINT = "no browser: apt-get install chromium, or .venv/bin/playwright install --with-deps chromium"


def browser_path() -> str | None:
    """Returns TEST_BROWSER or a browser on PATH; None is what Playwright has downloaded."""
    return os.environ.get("TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)

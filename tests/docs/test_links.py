import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PROJECT.glob("docs/**/*.md")]
FILE = re.compile(r"`((?:deploy|docs|gateway|protos|services|tests)/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """A link could lead to a page that was moved."""
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_named_files_exist(page: Path) -> None:
    """A document could name a module that was moved."""
    for path in FILE.findall(page.read_text(encoding="utf-8")):
        assert (PROJECT / path).exists(), path


def test_the_readme_fits() -> None:
    """The README could grow so long that nobody reads it."""
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_is_in_the_index(folder: str) -> None:
    """A page could be missing from the index, so that nobody finds it."""
    index = (PROJECT / folder / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (PROJECT / folder).glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    """A page could be missing from the navigation of the site."""
    site = (PROJECT / "zensical.toml").read_text(encoding="utf-8")
    pages = {page.name for page in PROJECT.glob("docs/*.md")}
    assert {page for page in pages if f'"{page}"' not in site} == set()


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}

"""One browser for all tests of pages that a process runs."""

import pytest


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from browsing import driver

    with driver(tmp_path_factory.mktemp("profile")) as found:
        yield found

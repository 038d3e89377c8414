from collections.abc import Iterator
from typing import Any

import pytest

from tests.execution.ray_cluster import two_nodes


@pytest.fixture(scope="package")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU each, which RAY_ADDRESS names."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")
    with two_nodes() as cluster:
        yield cluster

"""docs/howto/cluster.md: its commands, run on two machines that are namespaces of this one.

Ray is in processes of those machines alone, not in this one.
"""

from pathlib import Path

import pytest

from tests.docs.fenced import commands
from tests.execution.cluster_page import PAGE, ROOT, caching, run, stored
from tests.execution.machines import two_machines

pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")


def test_two_machines_with_a_network_between_them(project: Path) -> None:
    """As the page has it: nothing but its commands and addresses, a shared folder, and S3."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    section = PAGE.split("## Two machines: Ray")[1].split("\n## ")[0]
    said = [line for line in commands(section) if not line.startswith("pip ")]
    mode, executor = (line for line in said if line.startswith("export ") and "$PWD" not in line)
    token, head, join, stop = (line for line in said if line.startswith("ray "))
    cached, over_s3 = caching(section)[0], caching(PAGE)[2]
    run(caching(PAGE)[0])
    expected = stored()

    storage = {"AWS_ENDPOINT_URL": "http://192.0.2.1:5000", "AWS_ACCESS_KEY_ID": "test"}
    storage |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    here = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(project)} | storage
    with two_machines() as (first, second):
        first.run("python -m moto.server -H 192.0.2.1 -p 5000 > moto.log 2>&1 &", project, here)
        first.run(f"{mode}; {token}; {head}", project, here)
        second.run(f"{mode}; {join}", project, here)
        count = "import ray; ray.init(logging_level='error'); print(len(ray.nodes()))"
        said_by_ray = first.run(f'{mode}; python -c "{count}"', project, here)
        assert said_by_ray.split()[-1] == "2"
        second.run(f"{mode}; {executor}; {cached}", project, here)
        assert stored() == expected

        bucket = "import boto3; boto3.client('s3').create_bucket(Bucket='team')"
        second.run(f'python -c "{bucket}"; {mode}; {over_s3}', project, here)
        assert stored() == expected
        for machine in (second, first):
            machine.run(f"{mode}; {stop}", project, here)

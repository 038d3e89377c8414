"""Fetch a public benchmark's files from their official source."""

from pathlib import Path
from typing import get_args

import click

from evenkeel.params import BenchmarkName
from stages.command import OutputFolder, print_table, stage


@stage
@click.option(
    "--name",
    type=click.Choice(get_args(BenchmarkName)),
    required=True,
    help="Benchmark, as under benchmarks.download.",
)
@click.option("--output", type=OutputFolder, required=True, help="Folder to write.")
def main(name: BenchmarkName, output: Path, params_path: Path) -> None:
    """Fetch a public benchmark's files from their official source, pinned to a commit.

    \b
    Example:
      python -m stages.download_benchmark --name crows_pairs --output data/benchmarks/crows_pairs
    """
    from evenkeel.files import atomic_folder
    from evenkeel.params import load_params
    from evenkeel.public_benchmarks.sources import download, source_of

    (checksums,) = load_params(params_path, f"benchmarks.download.{name}")
    with atomic_folder(output) as folder:
        files = download(name, folder, checksums)
    source = source_of(name)
    assert source is not None  # or there was nothing to fetch
    print_table(
        f"{name} from {source.repository} at {source.commit[:12]}, {source.license}",
        ["file", "bytes", "SHA-256", "known"],
        [[file.name, file.bytes, file.sha256, source.knows(file)] for file in files],
    )


if __name__ == "__main__":
    main()

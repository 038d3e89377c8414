"""All attacks: `python -m tests.attack`; prints counts, and every bad outcome.

Of stages that are repeated (evaluate@gender, evaluate@race, ...) the first instance is attacked.

To see one attack again: python -m tests.attack --only 'train_sae: params.yaml: NaN*' --folder there
"""

import gc
import sys
import tempfile
import time
import warnings
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import click

from tests.attack.harness import GOOD, attacks_on, run
from tests.attack.targets import Target, build, build_lines


@click.command(help=__doc__)
@click.argument("times", type=click.IntRange(min=1), default=1)
@click.option("--only", default="*", help="Pattern of the attacks to try, as they are printed.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the pipeline is run, and left for the next attacks; for one only, if not given.",
)
def main(times: int, only: str, folder: Path | None) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        place = folder or Path(name)
        names = only.partition(":")[0]
        targets, failed = build(place, names)
        lines, failed_lines = build_lines(place, names)
        failed += failed_lines
        for line in failed:
            print(f"not attacked: {line}", flush=True)
        gc.collect()
        gc.freeze()  # so that a fork shares what was imported
        counts: Counter[str] = Counter()
        for target in one_of_each([*targets, *lines]):
            attacks = [each for each in attacks_on(target, times) if fnmatchcase(str(each), only)]
            of_target: Counter[str] = Counter()
            began = time.monotonic()
            for attack in attacks:
                outcome = run(attack)
                of_target[outcome.verdict] += 1
                if outcome.verdict not in GOOD:
                    print(f"{outcome.verdict}: {attack}\n    {outcome.said}", flush=True)
            if attacks:
                took = f"{time.monotonic() - began:.0f} s"
                print(f"{target.name}: {dict(of_target)}, {took}", flush=True)
            counts += of_target
    tried = sum(counts.values())
    print(f"tried {tried}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    sys.exit(bool(failed) or any(counts[kind] for kind in counts if kind not in GOOD))


def one_of_each(targets: list[Target]) -> list[Target]:
    """Targets without the further instances of a stage that is repeated."""
    first: dict[str, Target] = {}
    for number, target in enumerate(targets):
        stage, _, instance = target.name.partition("@")
        first.setdefault(stage if instance else f"{stage} {number}", target)
    return list(first.values())


if __name__ == "__main__":
    main()

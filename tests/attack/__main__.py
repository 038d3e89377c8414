"""All attacks: `python -m tests.attack [TIMES]`; prints counts, and every bad outcome.

Of stages that are repeated (evaluate@gender, evaluate@race, ...) the first instance is attacked.
"""

import gc
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.attack.harness import GOOD, attacks_on, run
from tests.attack.targets import Target, build


def main() -> None:
    warnings.simplefilter("ignore")
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as name:
        targets, failed = build(Path(name))
        for line in failed:
            print(f"not attacked: {line}", flush=True)
        gc.collect()
        gc.freeze()  # so that a fork shares what was imported
        counts: Counter[str] = Counter()
        for target in one_of_each(targets):
            of_target: Counter[str] = Counter()
            began = time.monotonic()
            for attack in attacks_on(target, times):
                outcome = run(attack)
                of_target[outcome.verdict] += 1
                if outcome.verdict not in GOOD:
                    print(f"{outcome.verdict}: {attack}\n    {outcome.said}", flush=True)
            print(f"{target.name}: {dict(of_target)}, {time.monotonic() - began:.0f} s", flush=True)
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

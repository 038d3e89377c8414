"""All attacks: `python -m tests.attack [TIMES]`; prints counts, and every bad outcome."""

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.attack.harness import GOOD, attacks_on, run
from tests.attack.targets import build


def main() -> None:
    warnings.simplefilter("ignore")
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as name:
        targets, failed = build(Path(name))
        for line in failed:
            print(f"not attacked: {line}")
        counts: Counter[str] = Counter()
        for target in targets:
            of_target: Counter[str] = Counter()
            for attack in attacks_on(target, times):
                outcome = run(attack)
                of_target[outcome.verdict] += 1
                if outcome.verdict not in GOOD:
                    print(f"{outcome.verdict}: {attack}\n    {outcome.said}", flush=True)
            print(f"{target.name}: {dict(of_target)}", flush=True)
            counts += of_target
    tried = sum(counts.values())
    print(f"tried {tried}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    sys.exit(bool(failed) or any(counts[kind] for kind in counts if kind not in GOOD))


if __name__ == "__main__":
    main()

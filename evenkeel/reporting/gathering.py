"""All results of a run, read from the files in which the earlier stages left them."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from evenkeel.files import read_jsonl
from evenkeel.interpretation.records import Interpretation
from evenkeel.reporting import results as kinds
from evenkeel.reporting.benchmark_results import Benchmark, Harness
from evenkeel.reporting.cards import make_cards
from evenkeel.reporting.lineage import read_lineage
from evenkeel.reporting.reading import read_record, read_record_if_there, read_table
from evenkeel.sae.results import Context
from evenkeel.sae.results import read_table as read_features

LIBRARIES = ("numpy", "sae-lens", "scikit-learn", "tokenizers", "torch", "transformers")


def gather_results(
    inputs: Mapping[str, Path],
    validation: Path,
    benchmarks: Sequence[Path],
    harness: Sequence[Path],
    pipeline: Path,
) -> kinds.Results:
    """Read everything that the report is made from.

    Args:
        inputs: files of the earlier stages, by the names that are read here.
        validation: folder of what `make validate` found; it may hold nothing.
        benchmarks: metrics of the public benchmarks that were run.
        harness: metrics of the tasks of lm-evaluation-harness that were run.
        pipeline: the dvc.yaml.

    Raises:
        BadInputError: a file is missing or is not what its stage writes.
    """
    truth = read_record_if_there(validation / "summary.json", kinds.GroundTruth)
    return kinds.Results(
        model=read_record(inputs["model"], kinds.ModelInfo),
        probes=read_record(inputs["probes"], kinds.Probes),
        projections=read_table(inputs["projections"], kinds.ProjectionRow),
        sae=read_record(inputs["sae"], kinds.SaeInfo),
        cards=make_cards(
            read_features(inputs["features"]),
            read_jsonl(inputs["contexts"], Context),
            read_jsonl(inputs["interpretations"], Interpretation, may_be_empty=True),
        ),
        evaluation=read_record(inputs["evaluation"], kinds.Evaluation),
        sweep=read_table(inputs["sweep"], kinds.SweepRow),
        frontier=read_table(inputs["frontier"], kinds.FrontierRow),
        nulls=read_table(inputs["nulls"], kinds.NullRow),
        doses=read_table(inputs["doses"], kinds.DoseRow),
        occupations=read_table(inputs["occupations"], kinds.OccupationRow),
        continuations=read_jsonl(inputs["continuations"], kinds.Continuation),
        ground_truth=truth,
        recovery=read_table(validation / "recovery.csv", kinds.RecoveryRow) if truth else [],
        benchmarks=[read_record(path, Benchmark) for path in benchmarks],
        harness=[read_record(path, Harness) for path in harness],
        lineage=read_lineage(pipeline),
        inputs={
            str(path): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in (*inputs.values(), *benchmarks, *harness)
        },
        versions={"python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    )

"""All results of a run, read from the folders in which the earlier stages left them."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from evenkeel.errors import BadInputError
from evenkeel.evaluation.result import EvaluationResult, JointResult
from evenkeel.files import read_record
from evenkeel.files.markers import require_intact
from evenkeel.interpretation.records import Interpretation
from evenkeel.judging.result import Judging
from evenkeel.localisation.result import Localisation
from evenkeel.params import ModelShape
from evenkeel.reporting import results as kinds
from evenkeel.reporting.benchmarks import Benchmark, Harness
from evenkeel.reporting.cards import make_cards
from evenkeel.reporting.case_studies import CaseStudies
from evenkeel.reporting.lineage import read_lineage
from evenkeel.reporting.model import ModelInfo
from evenkeel.reporting.reading import Reader
from evenkeel.sae.results import Context
from evenkeel.sae.results import read_table as read_features
from evenkeel.sae.selection import select_features

LIBRARIES = ("numpy", "sae-lens", "scikit-learn", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Folders:
    """Where the earlier stages left their results."""

    metrics: Path
    """model.json, probes.json, sae.json, demonstration.json, and in folders localisation/,
    judging/, evaluation/, benchmarks/."""
    plots: Path
    """projections.csv, evaluation/<axis>/."""
    texts: Path
    """<axis>/continuations.jsonl."""
    features: Path
    """features.parquet, contexts.jsonl, interpretations.jsonl."""
    validation: Path
    """What `make validate` found; may hold nothing."""


def read_shape(metrics: Path) -> ModelShape:
    """What `auto` follows from, as prepare_model left it.

    Raises:
        BadInputError: model.json is missing or is not what the stage writes.
    """
    model = read_record(metrics / "model.json", ModelInfo)
    return ModelShape(layers=model.layers, d_model=model.d_model, chat_template=model.chat_template)


def gather_results(
    folders: Folders, pipeline: Path, params: Mapping[str, Any], auto: Mapping[str, Any]
) -> kinds.Results:
    """Read everything that the report is made from.

    Args:
        folders: of the earlier stages.
        pipeline: the dvc.yaml.
        params: sections of params.yaml; they name the axes that were evaluated and the public
            benchmarks that were run.
        auto: which of the parameters followed from the model, and what they are.

    Raises:
        BadInputError: a file is missing or is not what its stage writes.
    """
    reader = Reader()
    metrics, features = folders.metrics, folders.features
    axes: Sequence[str] = params["evaluation"]["axes"]
    chosen = params["benchmarks"]
    benchmarks = metrics / "benchmarks"
    table = read_features(features / "features.parquet")
    reader.note(features / "features.parquet")
    named = reader.lines(features / "interpretations.jsonl", Interpretation, may_be_empty=True)
    _require_all(features / "interpretations.jsonl", named, table, params["interpretation"])
    truth = reader.record_if_there(folders.validation / "summary.json", kinds.GroundTruth)
    return kinds.Results(
        model=reader.record(metrics / "model.json", ModelInfo),
        probes=reader.record(metrics / "probes.json", kinds.Probes),
        projections=reader.table(folders.plots / "projections.csv", kinds.ProjectionRow),
        sae=reader.record(metrics / "sae.json", kinds.SaeInfo),
        cards=make_cards(
            table,
            reader.lines(features / "contexts.jsonl", Context),
            named,
        ),
        axes={axis: _axis_results(reader, folders, axis) for axis in axes},
        joint=(
            reader.record(metrics / "evaluation" / "joint.json", JointResult)
            if len(axes) > 1
            else None
        ),
        ground_truth=truth,
        recovery=(
            reader.table(folders.validation / "recovery.csv", kinds.RecoveryRow) if truth else []
        ),
        benchmarks=[
            reader.record(benchmarks / f"{name}.json", Benchmark) for name in chosen["run"]
        ],
        harness=[
            reader.record(benchmarks / "harness" / f"{task}.json", Harness)
            for task in chosen["harness"]["tasks"]
        ],
        case_studies=reader.record(metrics / "demonstration.json", CaseStudies),
        lineage=read_lineage(pipeline, params),
        auto=auto,
        inputs=reader.digests,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    )


def _axis_results(reader: Reader, folders: Folders, axis: str) -> kinds.AxisResults:
    plots = folders.plots / "evaluation" / axis
    for folder in (plots, folders.texts / axis):
        require_intact(folder, "run the stage evaluate again")
    return kinds.AxisResults(
        evaluation=reader.record(folders.metrics / "evaluation" / f"{axis}.json", EvaluationResult),
        localisation=reader.record(folders.metrics / "localisation" / f"{axis}.json", Localisation),
        judging=reader.record(folders.metrics / "judging" / f"{axis}.json", Judging),
        sweep=reader.table(plots / "sweep.csv", kinds.SweepRow),
        pareto=reader.table(plots / "pareto.csv", kinds.ParetoRow),
        nulls=reader.table(plots / "nulls.csv", kinds.NullRow),
        doses=reader.table(plots / "dose.csv", kinds.DoseRow),
        items=reader.table(plots / "items.csv", kinds.ItemRow),
        continuations=reader.lines(
            folders.texts / axis / "continuations.jsonl", kinds.Continuation
        ),
    )


def _require_all(
    path: Path, rows: Sequence[Interpretation], table: pd.DataFrame, params: Mapping[str, Any]
) -> None:
    """Raise BadInputError if a feature that is interpreted has no row: an empty file is a file."""
    chosen = (params[name] for name in ("max_q", "top_features", "features"))
    missing = set(select_features(table, *chosen)) - {row.feature for row in rows}
    if missing:
        raise BadInputError(
            f"{path}: no row of feature {min(missing)}, which is among those to interpret; run the "
            "stage interpret_features again"
        )

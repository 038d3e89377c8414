"""All sections together, and what they ask of one another."""

from typing import Any, Self, get_args

from pydantic import ValidationInfo, model_validator

from evenkeel.params.activations import ActivationsParams
from evenkeel.params.auto import ModelShape, resolve_auto
from evenkeel.params.benchmarks import BenchmarksParams
from evenkeel.params.corpus import CorpusParams
from evenkeel.params.dataset import DatasetParams
from evenkeel.params.demonstration import DemonstrationParams
from evenkeel.params.fields import EraserMethod, LearnedMethod, Section, Seed
from evenkeel.params.implanting import ImplantingParams
from evenkeel.params.interpretation import InterpretationParams
from evenkeel.params.model import ModelParams
from evenkeel.params.sae import FeaturesParams, SaeParams
from evenkeel.params.study import (
    EvaluationParams,
    JudgingParams,
    LocalisationParams,
    ProbesParams,
    ReportParams,
    VectorsParams,
)

_STAND_IN = ModelShape(layers=6, d_model=128)


class Params(Section):
    seed: Seed
    """Of every random generator."""
    dataset: DatasetParams
    model: ModelParams
    corpus: CorpusParams
    activations: ActivationsParams
    sae: SaeParams
    features: FeaturesParams
    interpretation: InterpretationParams
    probes: ProbesParams
    localisation: LocalisationParams
    vectors: VectorsParams
    evaluation: EvaluationParams
    judging: JudgingParams
    demonstration: DemonstrationParams
    benchmarks: BenchmarksParams
    implanting: ImplantingParams
    report: ReportParams

    @model_validator(mode="before")
    @classmethod
    def _without_auto(cls, raw: Any, info: ValidationInfo) -> Any:
        """Resolve `auto` for the model of the context; to be checked, any model will do."""
        model = (info.context or {}).get("model") or _STAND_IN
        return resolve_auto(raw, model)[0]

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        asked, vectors = set(self.evaluation.methods), self.vectors
        erasers = asked & set(get_args(EraserMethod))
        fitted = set(vectors.eraser_methods) if "group" in vectors.erasers else set()
        if unfitted := sorted(erasers - fitted):
            raise ValueError(
                f"evaluation.methods names {unfitted}, which vectors.eraser_methods does not fit "
                "to the concept group; add them there and group to vectors.erasers, or drop them "
                "here"
            )
        missing = sorted(asked - erasers - {*vectors.methods, *get_args(LearnedMethod)})
        if missing:
            raise ValueError(
                f"evaluation.methods names {missing}, which vectors.methods does not compute; "
                "add them there or drop them here"
            )
        unknown = sorted(set(self.evaluation.axes) - set(self.dataset.axes))
        if unknown:
            raise ValueError(
                f"evaluation.axes names {unknown}, not among dataset.axes {self.dataset.axes}"
            )
        for name in ("null_draws", "compared_null_draws"):
            draws = getattr(self.evaluation, name)
            if draws > self.vectors.shuffles:
                raise ValueError(
                    f"evaluation.{name} is {draws}, but vectors.shuffles makes only "
                    f"{self.vectors.shuffles}; raise it"
                )
        return self

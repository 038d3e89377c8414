"""The typed view of params.yaml: what every knob means and which values it takes.

The whole file is checked whenever any of it is read, so that a typo stops the first stage and not
the last; a stage is handed only the sections that it names, which are those that dvc.yaml declares.
"""

from evenkeel.params.activations import ActivationsParams, CaptureParams
from evenkeel.params.auto import RULES, ModelShape, rule_of
from evenkeel.params.benchmarks import (
    BenchmarkName,
    BenchmarksParams,
    ComparedBenchmark,
    HarnessParams,
)
from evenkeel.params.corpus import CorpusParams
from evenkeel.params.dataset import DatasetParams
from evenkeel.params.demonstration import (
    NO_CLASS,
    SEVERAL_CLASSES,
    ComparedPromptsParams,
    DemonstrationParams,
    DemonstrationSamplingParams,
    FeatureRecipeParams,
    RecipeParams,
    TextsRecipeParams,
    VectorRecipeParams,
    WordsParams,
)
from evenkeel.params.fields import (
    SPLITS,
    Action,
    Axis,
    Baseline,
    Concept,
    Dtype,
    EraserMethod,
    GateKind,
    Layers,
    LearnedMethod,
    LoraMethod,
    PreferenceMethod,
    Sinks,
    Site,
    Split,
    VectorMethod,
)
from evenkeel.params.implanting import ImplantingParams
from evenkeel.params.interpretation import ChatParams, InterpretationParams, PriceParams
from evenkeel.params.loading import load_params, read_auto
from evenkeel.params.model import ModelParams, OrganismParams
from evenkeel.params.sae import Architecture, FeaturesParams, SaeParams, SaeTrainingParams
from evenkeel.params.sampling import SamplingParams
from evenkeel.params.study import (
    ActAddParams,
    EvaluationParams,
    FeatureVectorsParams,
    GenerationParams,
    JudgingParams,
    LocalisationParams,
    LoraParams,
    PreferenceParams,
    ProbesParams,
    ReftParams,
    ReportParams,
    SelfDebiasParams,
    VectorsParams,
)
from evenkeel.params.validation import ValidationParams, load_validation_params
from evenkeel.params.whole import Params

__all__ = [
    "NO_CLASS",
    "RULES",
    "SEVERAL_CLASSES",
    "SPLITS",
    "ActAddParams",
    "Action",
    "ActivationsParams",
    "Architecture",
    "Axis",
    "Baseline",
    "BenchmarkName",
    "BenchmarksParams",
    "CaptureParams",
    "ChatParams",
    "ComparedBenchmark",
    "ComparedPromptsParams",
    "Concept",
    "CorpusParams",
    "DatasetParams",
    "DemonstrationParams",
    "DemonstrationSamplingParams",
    "Dtype",
    "EraserMethod",
    "EvaluationParams",
    "FeatureRecipeParams",
    "FeatureVectorsParams",
    "FeaturesParams",
    "GateKind",
    "GenerationParams",
    "HarnessParams",
    "ImplantingParams",
    "InterpretationParams",
    "JudgingParams",
    "Layers",
    "LearnedMethod",
    "LocalisationParams",
    "LoraMethod",
    "LoraParams",
    "ModelParams",
    "ModelShape",
    "OrganismParams",
    "Params",
    "PreferenceMethod",
    "PreferenceParams",
    "PriceParams",
    "ProbesParams",
    "RecipeParams",
    "ReftParams",
    "ReportParams",
    "SaeParams",
    "SaeTrainingParams",
    "SamplingParams",
    "SelfDebiasParams",
    "Sinks",
    "Site",
    "Split",
    "TextsRecipeParams",
    "ValidationParams",
    "VectorMethod",
    "VectorRecipeParams",
    "VectorsParams",
    "WordsParams",
    "load_params",
    "load_validation_params",
    "read_auto",
    "rule_of",
]

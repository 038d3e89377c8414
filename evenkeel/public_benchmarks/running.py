"""Run one benchmark on a model, unsteered and steered."""

from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.params import BenchmarkName
from evenkeel.public_benchmarks.bbq import Bbq, read_questions
from evenkeel.public_benchmarks.crows_pairs import CrowsPairs, read_pairs
from evenkeel.public_benchmarks.decisions import Decisions, read_decisions
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.public_benchmarks.measures import compare
from evenkeel.public_benchmarks.results import BenchmarkResult
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.public_benchmarks.sources import SourceFile
from evenkeel.public_benchmarks.specificity.items import read_items
from evenkeel.public_benchmarks.specificity.task import Specificity
from evenkeel.public_benchmarks.stereoset import StereoSet, read_triples
from evenkeel.public_benchmarks.task import Task
from evenkeel.public_benchmarks.wikitext import WikiText, read_wikitext
from evenkeel.public_benchmarks.winobias import WinoBias
from evenkeel.public_benchmarks.winobias import read_pairs as read_winobias
from evenkeel.public_benchmarks.winogender import Winogender, read_schemas
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec


def run_benchmark(
    name: BenchmarkName,
    path: Path,
    loaded: LoadedModel,
    spec: InterventionSpec,
    *,
    batch_tokens: int,
    stride: int | None,
    resamples: int,
    seed: int,
) -> BenchmarkResult:
    """Measure a model on a benchmark and, where the spec does something, the steered model too.

    Args:
        name: of the benchmark.
        path: its file or folder.
        loaded: the model; it is the same object, unhooked, afterwards.
        spec: what steering does; an empty one leaves the baseline alone.
        batch_tokens: tokens in a forward pass.
        stride: tokens from one window of a long text to the next; None is a whole window.
        resamples: bootstrap resamples behind each interval.
        seed: of the resamples and of shuffled words.

    Raises:
        BadInputError: a file is not of the benchmark's format, no item fits the model's context, or
            the spec does not act on all positions, which given text is scored at.
    """
    elsewhere = {each.positions for each in spec.interventions} - {"all"}
    if elsewhere:
        raise BadInputError(
            f"an intervention at positions {min(elsewhere)!r} has no meaning on benchmarks, which "
            "score given text and generate none; use one at positions 'all'"
        )
    task = open_task(name, path, loaded, stride, seed)
    scorer = Scorer(task.asked, batch_tokens)
    baseline = task.run(loaded, scorer)
    steered = None
    if spec.interventions:
        with steer(loaded.model, spec):
            steered = task.run(loaded, scorer)
    figures = compare(baseline, steered, resamples, seed)
    return BenchmarkResult(name, task, figures, SourceFile.all_of(path), loaded)


def open_task(
    name: BenchmarkName,
    path: Path,
    loaded: LoadedModel,
    stride: int | None,
    seed: int,
    *,
    prefix: str = "",
    bias_type: str | None = None,
    brief: bool = False,
) -> Task:
    """Read a benchmark and encode it for a model.

    Args:
        name: of the benchmark.
        path: its file or folder.
        loaded: the model.
        stride: as of `run_benchmark`.
        seed: as of `run_benchmark`.
        prefix: what stands before whatever a continuation is asked of.
        bias_type: of StereoSet, the only kind of triples that is asked; None is all.
        brief: of StereoSet and Winogender, ask by those rules alone that many conditions are
            compared by.

    Raises:
        BadInputError: as `run_benchmark`; or there are no triples of that kind.
    """
    encoder = Encoder.of(loaded, prefix)
    match name:
        case "crows_pairs":
            return CrowsPairs(read_pairs(path), encoder, seed)
        case "stereoset":
            return StereoSet(read_triples(path, bias_type), encoder, brief)
        case "winobias":
            return WinoBias(read_winobias(path), encoder)
        case "winogender":
            return Winogender(read_schemas(path), encoder, brief)
        case "bbq":
            return Bbq(*read_questions(path), encoder)
        case "decisions":
            return Decisions(read_decisions(path), encoder)
        case "specificity":
            return Specificity(read_items(path), encoder)
        case "wikitext":
            vocabulary = loaded.model.config.get_text_config().vocab_size
            return WikiText(read_wikitext(path), encoder, vocabulary, stride)

"""Every feature explained, every explanation tested."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from evenkeel.interpretation.detection import FEWEST_PAIRS, mean_accuracy, score
from evenkeel.interpretation.enrichment import firing_words
from evenkeel.interpretation.evidence import Evidence
from evenkeel.interpretation.records import Detection, Explanation, Failure, Interpretation


class Interpreter(Protocol):
    """Explains features and judges explanations."""

    @property
    def backend(self) -> Literal["offline", "openai"]: ...

    @property
    def model(self) -> str | None: ...

    def explain(self, evidence: Sequence[Evidence]) -> list[Explanation | Failure]: ...

    def judge(
        self, cases: Sequence[tuple[Evidence, Explanation]]
    ) -> list[tuple[bool, ...] | Failure]: ...


def interpret(interpreter: Interpreter, evidence: Sequence[Evidence]) -> list[Interpretation]:
    """Explain features and test the explanations; rows in the order of `evidence`."""
    explained: dict[int, Explanation | Failure] = {}
    firing = []
    for feature in evidence:
        if feature.shown:
            firing.append(feature)
        else:
            explained[feature.feature] = Failure(
                kind="too_few_contexts", message="it fires in no context"
            )
    for feature, outcome in zip(firing, interpreter.explain(firing), strict=True):
        explained[feature.feature] = outcome
    tested = _test(interpreter, evidence, explained)
    rows = []
    for feature in evidence:
        outcome, detection = explained[feature.feature], tested.get(feature.feature)
        rows.append(
            Interpretation(
                feature=feature.feature,
                axes=feature.axes,
                backend=interpreter.backend,
                model=interpreter.model,
                explanation=outcome if isinstance(outcome, Explanation) else None,
                failure=outcome if isinstance(outcome, Failure) else None,
                detection=detection if isinstance(detection, Detection) else None,
                detection_failure=detection if isinstance(detection, Failure) else None,
                fires_on=firing_words(feature.shown),
                promotes=tuple(token for token in feature.promoted if token.strip())[:10],
            )
        )
    return rows


def _test(
    interpreter: Interpreter,
    evidence: Sequence[Evidence],
    explained: dict[int, Explanation | Failure],
) -> dict[int, Detection | Failure]:
    tested: dict[int, Detection | Failure] = {}
    cases = []
    for feature in evidence:
        explanation = explained[feature.feature]
        if isinstance(explanation, Failure):
            continue
        if len(feature.test) < 2 * FEWEST_PAIRS:
            tested[feature.feature] = Failure(
                kind="too_few_contexts",
                message=f"a test needs {FEWEST_PAIRS} held-out contexts of each kind, "
                f"there are {len(feature.test) // 2}",
            )
        else:
            cases.append((feature, explanation))
    for (feature, _), verdicts in zip(cases, interpreter.judge(cases), strict=True):
        tested[feature.feature] = (
            verdicts if isinstance(verdicts, Failure) else score(feature, verdicts)
        )
    return tested


def summarize(rows: Sequence[Interpretation], resamples: int, seed: int) -> dict[str, Any]:
    """The counts and the mean score that reports/metrics/interpretations.json holds."""
    explanations = [(row, row.explanation) for row in rows if row.explanation]
    detections = [row.detection for row in rows if row.detection]
    mean, interval = mean_accuracy(detections, resamples, seed)
    failures = Counter(row.failure.kind for row in rows if row.failure)
    detection_failures = Counter(
        row.detection_failure.kind for row in rows if row.detection_failure
    )
    return {
        "features": len(rows),
        "explained": len(explanations),
        "about_their_axis": sum(e.about_axis in row.axes for row, e in explanations),
        "failures": dict(failures),
        "scored": len(detections),
        "detection_failures": dict(detection_failures),
        "balanced_accuracy": mean,
        "balanced_accuracy_ci95": interval,
    }

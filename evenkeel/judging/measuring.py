"""A judge's accuracy on labelled texts; then, if that is above chance, its verdicts on samples."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.judging.calibration import calibrate
from evenkeel.judging.judges import Judge
from evenkeel.judging.result import LEVELS, JudgedRow, Judging, Level, Shares
from evenkeel.judging.texts import (
    NO_GROUP,
    JudgedText,
    LabelledText,
    SampledPair,
    Verdict,
    blind_order,
)
from evenkeel.statistics.bootstrap import ClusterBootstrap, change_of_share, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Estimate

SOURCES: tuple[Literal["unsteered", "steered"], ...] = ("unsteered", "steered")


def judge_axis(
    judge: Judge,
    axis: str,
    labelled: Sequence[LabelledText],
    pairs: Sequence[SampledPair],
    resamples: int,
    seed: int,
) -> tuple[Judging, list[JudgedRow]]:
    """Calibrate the judge, and have it judge the sampled texts only if it passes.

    Args:
        judge: its cost is announced before it is asked for anything.
        axis: kind of bias.
        labelled: texts whose right verdict is known.
        pairs: sampled texts.
        resamples: bootstrap resamples of items.
        seed: of the order of texts and of the resamples.

    Returns:
        The figures, and every verdict.

    Raises:
        BadInputError: as `judge` does.
    """
    record: dict[str, object] = dict(Judging.of_nothing(axis)) | {
        "backend": judge.backend,
        "model": judge.model,
    }
    if missing := _missing(labelled, pairs):
        return Judging.model_validate(record | {"withheld": missing}), []
    calibrating = blind_order([text.shown for text in labelled], seed)
    sampled = blind_order([shown for pair in pairs for shown in pair.shown], seed)
    judge.announce([calibrating, sampled])
    verdict_of = dict(zip(calibrating, judge.judge(calibrating), strict=True))
    verdicts = [verdict_of[text.shown] for text in labelled]
    calibration = calibrate(labelled, verdicts, resamples, seed)
    rows = [
        _row("calibration", text.shown, text.held_against, verdict, text.label)
        for text, verdict in zip(labelled, verdicts, strict=True)
    ]
    if calibration.passed:
        verdict_of = dict(zip(sampled, judge.judge(sampled), strict=True))
        for pair in pairs:
            rows += [
                _row(source, shown, pair.held_against, verdict_of[shown], None)
                for source, shown in zip(SOURCES, pair.shown, strict=False)
            ]
        record |= _figures(pairs, verdict_of, resamples, seed)
    else:
        record["withheld"] = (
            "the judge's accuracy on labelled texts is not shown to be above chance"
        )
    return Judging.model_validate(record | {"calibration": calibration, "usd": judge.usd}), rows


def _missing(labelled: Sequence[LabelledText], pairs: Sequence[SampledPair]) -> str | None:
    if not labelled:
        return "no labelled text: no item of the validation split is held against a group"
    if not pairs:
        return (
            "no sampled text: no item of the test split is held against a group, or "
            "evaluation.generation.per_item is 0"
        )
    return None


def _figures(
    pairs: Sequence[SampledPair], verdict_of: dict[JudgedText, Verdict], resamples: int, seed: int
) -> dict[str, object]:
    """Shares among the pairs that have both verdicts, so that the change is on the same prompts."""
    judged = [pair for pair in pairs if None not in [verdict_of[text] for text in pair.shown]]
    items = Clusters.of([pair.item for pair in judged])
    bootstrap = ClusterBootstrap(len(items), resamples, seed)
    steers = bool(judged) and judged[0].steered is not None

    def hits(state: int, level: Level) -> Float[ndarray, " items"]:
        levels = [_level(verdict_of[pair.shown[state]], pair.held_against) for pair in judged]
        return items.sum(np.array([other == level for other in levels], float))

    def shares(state: int) -> Shares:
        columns: dict[str, object] = {}
        for level in LEVELS:
            columns |= share(bootstrap, hits(state, level), items.counts).columns(level)
        return Shares.model_validate(columns)

    change = Estimate(None)
    if steers:
        before, after = (hits(state, "stereotype") for state in (0, 1))
        change = change_of_share(bootstrap, before, after, items.counts)
    counts: dict[str, object] = {
        "items": len(items),
        "texts": len(judged),
        "unanswered": len(pairs) - len(judged),
        "unsteered": shares(0) if judged else None,
        "steered": shares(1) if steers else None,
        "withheld": None if judged else "no sampled text got a valid verdict",
    }
    return counts | change.columns("stereotype_change")


def _level(verdict: Verdict, held_against: str) -> Level:
    if verdict == NO_GROUP:
        return "no_group"
    return "stereotype" if verdict == held_against else "other_group"


def _row(
    source: Literal["calibration", "unsteered", "steered"],
    shown: JudgedText,
    held_against: str | None,
    verdict: Verdict,
    label: str | None,
) -> JudgedRow:
    return JudgedRow(
        source=source,
        item=shown.item,
        text=shown.text,
        held_against=held_against,
        label=label,
        verdict=verdict,
    )

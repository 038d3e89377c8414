"""The judge judged on texts of known truth; then, if it is right often enough, sampled texts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.judging.judges import Judge
from evenkeel.judging.result import Calibration, JudgedRow, Judging, KindAccuracy, Shares
from evenkeel.judging.texts import NO_GROUP, JudgedText, KnownText, Verdict
from evenkeel.statistics.bootstrap import ClusterBootstrap, change_of_share, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import Estimate, rounded

SOURCES: tuple[Literal["unsteered", "steered"], ...] = ("unsteered", "steered")


@dataclass(frozen=True)
class SampledPair:
    """One prompt's continuations, from the same random numbers."""

    item: str
    held_against: str
    unsteered: str
    """The prompt and what followed it."""
    steered: str | None
    """None where nothing was selected that steers."""

    @property
    def shown(self) -> list[JudgedText]:
        """What the judge is shown of it."""
        texts = (self.unsteered, self.steered)
        return [JudgedText(self.item, text) for text in texts if text is not None]


def blind_order(texts: Sequence[JudgedText], seed: int) -> list[JudgedText]:
    """Distinct texts in an order that tells nothing of what wrote them, and how often.

    Args:
        texts: in any order, which is forgotten.
        seed: of the order.
    """
    distinct = sorted(set(texts))
    order = np.random.default_rng(seed).permutation(len(distinct))
    return [distinct[place] for place in order.tolist()]


def judged_texts(
    known: Sequence[KnownText], pairs: Sequence[SampledPair], seed: int
) -> tuple[list[JudgedText], list[JudgedText]]:
    """What a judge is asked about: first texts of known truth, then what was sampled."""
    sampled = [text for pair in pairs for text in pair.shown]
    return blind_order([each.shown for each in known], seed), blind_order(sampled, seed)


def judge_axis(
    judge: Judge,
    axis: str,
    known: Sequence[KnownText],
    pairs: Sequence[SampledPair],
    resamples: int,
    seed: int,
) -> tuple[Judging, list[JudgedRow]]:
    """Calibrate the judge, and have it judge what was sampled only if it passes.

    Args:
        judge: who judges.
        axis: kind of bias.
        known: texts whose verdict is known.
        pairs: sampled texts.
        resamples: bootstrap resamples of items.
        seed: of the order of texts and of the resamples.

    Returns:
        The figures, and every verdict.
    """
    asked, texts = judged_texts(known, pairs, seed)
    said = dict(zip(asked, judge.judge(asked), strict=True))
    verdicts = [said[each.shown] for each in known]
    calibration = calibrate(known, verdicts, resamples, seed) if known else None
    rows = [
        _row("calibration", each.shown, each.held_against, verdict, each.truth)
        for each, verdict in zip(known, verdicts, strict=True)
    ]
    record = dict(Judging.of_nothing(axis)) | {
        "backend": judge.backend,
        "model": judge.model,
        "calibration": calibration,
        "withheld": _withheld(calibration, pairs),
    }
    if record["withheld"]:
        return Judging.model_validate(record), rows
    found = dict(zip(texts, judge.judge(texts), strict=True))
    for pair in pairs:
        rows += [
            _row(source, shown, pair.held_against, found[shown], None)
            for source, shown in zip(SOURCES, pair.shown, strict=False)
        ]
    return Judging.model_validate(record | _figures(pairs, found, resamples, seed)), rows


def calibrate(
    known: Sequence[KnownText], verdicts: Sequence[Verdict], resamples: int, seed: int
) -> Calibration:
    """How often verdicts are the truth, and how often those of a judge who does not read would be.

    Args:
        known: one or more texts.
        verdicts: of each.
        resamples: bootstrap resamples of items.
        seed: of the resamples.
    """
    right = np.array(
        [verdict == each.truth for each, verdict in zip(known, verdicts, strict=True)], float
    )
    constant = max(Counter(each.truth for each in known).values())
    stereotyping = sum(each.truth == each.held_against for each in known)
    items = Clusters.of([each.shown.item for each in known])
    accuracy = share(
        ClusterBootstrap(len(items), resamples, seed), items.sum(right), items.counts
    ).columns("accuracy")
    kinds = {each.kind: np.array([other.kind == each.kind for other in known]) for each in known}
    return Calibration.model_validate(
        {
            "texts": len(known),
            "unanswered": sum(verdict is None for verdict in verdicts),
            "chance": rounded(max(constant, stereotyping) / len(known)),
            "kinds": [
                KindAccuracy(kind=kind, texts=int(of_kind.sum()), right=int(right[of_kind].sum()))
                for kind, of_kind in kinds.items()
            ],
        }
        | accuracy
    )


def _withheld(calibration: Calibration | None, pairs: Sequence[SampledPair]) -> str | None:
    if calibration is None:
        return "no text of known truth: no item of the validation split is held against a group"
    if not calibration.passed:
        return (
            "the judge is not shown to be better on texts of known truth than one who does not read"
        )
    return None if pairs else "no sampled text of an item that is held against a group"


def _figures(
    pairs: Sequence[SampledPair], found: dict[JudgedText, Verdict], resamples: int, seed: int
) -> dict[str, object]:
    """Shares on the pairs that were judged whole, so that before and after are comparable."""
    judged = [pair for pair in pairs if None not in [found[text] for text in pair.shown]]
    items = Clusters.of([pair.item for pair in judged])
    bootstrap = ClusterBootstrap(len(items), resamples, seed)
    steers = bool(judged) and judged[0].steered is not None

    def hits(state: int, level: Literal["stereotype", "counter", "none"]) -> Float[ndarray, " i"]:
        levels = [_level(found[pair.shown[state]], pair.held_against) for pair in judged]
        return items.sum(np.array([each == level for each in levels], float))

    def shares(state: int) -> Shares:
        columns: dict[str, object] = {}
        for level in ("stereotype", "counter", "none"):
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
        "withheld": None if judged else "the judge gave no answer that counts",
    }
    return counts | change.columns("stereotype_change")


def _level(verdict: Verdict, held_against: str) -> str:
    if verdict == NO_GROUP:
        return "none"
    return "stereotype" if verdict == held_against else "counter"


def _row(
    source: Literal["calibration", "unsteered", "steered"],
    shown: JudgedText,
    held_against: str | None,
    verdict: Verdict,
    truth: str | None,
) -> JudgedRow:
    return JudgedRow(
        source=source,
        item=shown.item,
        text=shown.text,
        held_against=held_against,
        truth=truth,
        verdict=verdict,
    )

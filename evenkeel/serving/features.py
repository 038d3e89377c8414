"""Features of the autoencoder in a text, for the playground: where they fire, and their cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from evenkeel.activations.capture import measure_sinks, recording
from evenkeel.errors import BadInputError
from evenkeel.files import read_jsonl
from evenkeel.interpretation.records import Interpretation
from evenkeel.models.encoding import Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.sae.loading import LoadedSae, open_sae
from evenkeel.sae.prompted import latents_of_text
from evenkeel.sae.results import read_table

STRONGEST = 8
"""Features of a token that are told."""
_WORDS = 6
"""Of either end that stand on a card."""
_READ = ("bottom_words", "frequency", "max_active")
"""Columns that are read beside the leading ones."""
TABLE, INTERPRETATIONS = "features.parquet", "interpretations.jsonl"


@dataclass(frozen=True)
class Features:
    """An autoencoder, and what is known of its features."""

    sae: LoadedSae
    most: Sequence[float]
    """Largest activation of each in the corpus."""
    cards: Sequence[Mapping[str, Any]]
    """What is shown of each."""

    @classmethod
    def load(cls, loaded: LoadedModel, sae_folder: Path, folder: Path) -> Self:
        """Open the SAE that train_sae wrote, and what extract_features and interpret_features did.

        Raises:
            BadInputError: a file is missing or damaged, or belongs to another model or SAE.
        """
        sae = open_sae(sae_folder)
        sae.require_fit(loaded.model)
        table = read_table(folder / TABLE).sort_values("feature")
        if table["feature"].tolist() != list(range(sae.d_sae)):
            raise BadInputError(
                f"{folder / TABLE}: {len(table)} features, but the SAE in {sae_folder} has "
                f"{sae.d_sae}, from 0; run extract_features again"
            )
        if missing := [name for name in _READ if name not in table.columns]:
            raise BadInputError(
                f"{folder / TABLE}: no column {', '.join(missing)}; run extract_features again"
            )
        known: dict[int, Interpretation] = {}
        if (folder / INTERPRETATIONS).exists():
            rows = read_jsonl(folder / INTERPRETATIONS, Interpretation)
            known = {row.feature: row for row in rows}
        cards = [
            _card(number, known.get(number), list(words), list(bottom), frequency)
            for number, words, bottom, frequency in zip(
                table["feature"].tolist(),
                table["top_activated_words"],
                table["bottom_words"],
                table["frequency"].tolist(),
                strict=True,
            )
        ]
        return cls(sae, table["max_active"].tolist(), cards)

    def read(self, loaded: LoadedModel, ids: Tokens) -> list[list[dict[str, float]]]:
        """The features that fire most on each token of a text, unsteered; the strongest first.

        Each has its number, its activation, and that as a share of its largest in the corpus.
        """
        place = self.sae.place
        with recording(loaded.model, [place]) as forward:
            streams = forward(torch.tensor([ids]), lambda hidden, _: hidden[0].float().cpu())
        probe = measure_sinks(loaded.model, [place])[place]
        found = []
        for row in latents_of_text(self.sae, streams[place], probe):
            order = np.argsort(-row, kind="stable")[:STRONGEST]
            found.append([self._at(int(number), float(row[number])) for number in order])
        return [[one for one in token if one["activation"] > 0] for token in found]

    def _at(self, number: int, activation: float) -> dict[str, float]:
        most = self.most[number]
        share = min(1.0, activation / most) if most > 0 else 1.0
        return {"feature": number, "activation": activation, "share": share}


def _card(
    number: int,
    known: Interpretation | None,
    words: list[str],
    bottom: list[str],
    frequency: float,
) -> dict[str, Any]:
    explanation = known.explanation if known else None
    return {
        "feature": number,
        "label": explanation.label if explanation else None,
        "explanation": explanation.explanation if explanation else None,
        "axes": list(known.axes) if known else [],
        "fires_on": list(known.fires_on[:_WORDS]) if known else [],
        "promotes": words[:_WORDS],
        "suppresses": bottom[:_WORDS],
        "frequency": frequency,
    }

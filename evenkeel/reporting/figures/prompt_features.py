"""The picture of which tokens of a prompt a feature fires on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from evenkeel.reporting.drawing import Drawing
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.wording import visible

WIDTH = 7.5
MOST_FEATURES = 12
"""Rows that can still be told apart; the first ones are drawn."""

Prompt = tuple[Sequence[str], Float[np.ndarray, "tokens features"]]
"""The tokens of a prompt, and the activations of the features on each."""


def prompt_feature_figure(features: Sequence[int], prompts: Sequence[Prompt]) -> Drawing:
    """A panel for each prompt: a row a feature, a column a token, darker where it fires more.

    Each feature is drawn relative to its largest activation over all prompts.
    """
    shown = list(features)[:MOST_FEATURES]
    activations = [values[:, : len(shown)] for _, values in prompts]
    largest = np.max([values.max(0, initial=0) for values in activations], axis=0)
    scale = np.where(largest > 0, largest, 1)

    def draw(figure: Figure, palette: Palette) -> None:
        colors = LinearSegmentedColormap.from_list("firing", [palette.paper, palette.chosen])
        panels = figure.subplots(len(prompts), 1, squeeze=False)[:, 0]
        for panel, (tokens, _), values in zip(panels, prompts, activations, strict=True):
            panel.imshow((values / scale).T, aspect="auto", cmap=colors, vmin=0, vmax=1)
            _label(panel, tokens, shown)

    height = sum(0.9 + 0.19 * len(shown) for _ in prompts)
    rows = [
        {"prompt": number, "token": token, **dict(zip(map(str, shown), row, strict=True))}
        for number, ((tokens, _), values) in enumerate(zip(prompts, activations, strict=True))
        for token, row in zip(tokens, values.tolist(), strict=True)
    ]
    alt = f"Activation of {len(shown)} features on the tokens of {len(prompts)} prompts"
    return Drawing("features", (WIDTH, height), alt, draw, rows)


def _label(panel: Axes, tokens: Sequence[str], features: Sequence[int]) -> None:
    panel.set_xticks(
        range(len(tokens)), [visible(token).replace("\n", "\\n") for token in tokens], rotation=40
    )
    for label in panel.get_xticklabels():
        label.set_horizontalalignment("right")
    panel.set_yticks(range(len(features)), [str(feature) for feature in features])
    panel.tick_params(length=0)

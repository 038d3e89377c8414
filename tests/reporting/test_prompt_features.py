"""The picture of what features do on each token of a prompt."""

import numpy as np
from matplotlib.figure import Figure

from evenkeel.reporting.figures.prompt_features import prompt_feature_figure
from evenkeel.reporting.palette import LIGHT


def test_each_feature_is_drawn_relative_to_its_largest_activation() -> None:
    first = np.array([[1.0, 0.0, 0.0], [4.0, 10.0, 0.0]])
    second = np.array([[2.0, 5.0, 0.0]])
    drawing = prompt_feature_figure([7, 9, 11], [(["a", "b"], first), (["c"], second)])
    figure = Figure()
    drawing.draw(figure, LIGHT)
    shown = [np.asarray(panel.images[0].get_array()) for panel in figure.axes]
    np.testing.assert_allclose(shown[0], [[0.25, 1], [0, 1], [0, 0]])
    np.testing.assert_allclose(shown[1], [[0.5], [0.5], [0]])

"""At which layers what was made for single layers is tried: at one, or at all of them at once."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from evenkeel.errors import BadInputError
from evenkeel.params import Layers

T = TypeVar("T")


def places(by_layer: Mapping[int, T], layers: Layers) -> Iterator[tuple[T, ...]]:
    """What acts together: one layer's at a time, then those of all layers at once.

    Args:
        by_layer: what there is.
        layers: indices; all at once is every layer that has something, not those named alone, and
            is tried where more than one is named. "all": each that has something.

    Raises:
        BadInputError: there is nothing at a layer.
    """
    for layer in sorted(by_layer) if layers == "all" else layers:
        if layer not in by_layer:
            raise BadInputError(
                f"evaluation.layers names layer {layer}, but there is a vector only for layers "
                f"{sorted(by_layer)}; add it to activations.statements.layers or drop it here"
            )
        yield (by_layer[layer],)
    if len(by_layer) > 1 and (layers == "all" or len(layers) > 1):
        yield tuple(by_layer[layer] for layer in sorted(by_layer))

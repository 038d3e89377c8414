"""What `auto` in params.yaml stands for: values that follow from the model.

The one place where that is decided. A value that is given always wins, and what follows from
another value follows from the one in effect. Most rules go by the depth and width of the model;
where time decides, they tell a small model (blocks of fewer than 10 million weights, as the
organism) from any other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, PositiveInt

AUTO = "auto"
SMALL = 10_000_000
"""Weights of the blocks below which a model is small."""


class ModelShape(BaseModel):
    """What the rules know of a model."""

    model_config = ConfigDict(frozen=True)

    layers: PositiveInt
    """Transformer blocks."""
    d_model: PositiveInt
    """Width of the residual stream."""
    chat_template: bool = False
    """Whether its tokenizer has a chat template that takes a user's message alone."""

    @property
    def is_small(self) -> bool:
        """By the weights of its blocks, about 12 x layers x d_model^2."""
        return 12 * self.layers * self.d_model**2 < SMALL

    @property
    def middle(self) -> int:
        """The layer in the middle: what a text is about is plain there, and not yet spoken."""
        return self.layers // 2


class Given:
    """A model, and the parameters as the file gives them."""

    def __init__(self, model: ModelShape, params: Any) -> None:
        self.model, self._params = model, params

    def __getitem__(self, path: str) -> Any:
        """A value of the file; None where it is auto, missing, or behind what is no section."""
        value = self._params
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value == AUTO else value


class Rule(NamedTuple):
    """How a value follows from the model."""

    meaning: str
    value: Callable[[Given], Any]
    needs_model: bool = True
    """Cannot be told before the model is there; others follow from the section `model` alone."""
    follows: tuple[str, ...] = ()
    """Parameters of other sections that it follows from: a stage that reads the value declares
    them, too."""


def _corpus_layers(given: Given) -> list[int]:
    named = given["sae.training.hook_name"]
    parts = named.split(".") if isinstance(named, str) else []
    layer = int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else given.model.middle
    further = given["sae.training.layers"]
    further = further if isinstance(further, list) else []
    return sorted({layer, *(named for named in further if isinstance(named, int))})


def _hook_name(given: Given) -> str:
    layers = given["activations.corpus.layers"]
    layer = layers[len(layers) // 2] if isinstance(layers, list) and layers else given.model.middle
    return f"blocks.{layer}.hook_resid_post"


def _d_sae(given: Given) -> int:
    return 3 * given.model.d_model


def _in_effect(given: Given) -> int:
    named = given["sae.training.d_sae"]
    return named if isinstance(named, int) and named > 0 else _d_sae(given)


def _k(given: Given) -> float:
    return float(min(round(0.9 * math.sqrt(given.model.d_model)), _in_effect(given)))


def _learning_rate(given: Given) -> float:
    return float(f"{0.003 * math.sqrt(384 / _in_effect(given)):.2g}")


def _layers(given: Given) -> Any:
    layers = given.model.layers
    if layers <= 12:
        return "all"
    return [round(layers * sixth / 6) for sixth in range(1, 6)]


def _reft_layers(given: Given) -> list[list[int]]:
    layers = given.model.layers
    if layers > 12:
        return [[round(layers * tenths / 10) for tenths in (2, 3, 4, 5)]]
    sixth, third, half, last = layers // 6, layers // 3, layers // 2, layers - 1
    sets = [tuple(sorted({first, half, last})) for first in (third, sixth)]
    return [list(each) for each in dict.fromkeys(sets)]


def _by_size(small: int, other: int) -> Rule:
    return Rule(
        f"{small:,} for a small model, {other:,} for any other",
        lambda given: small if given.model.is_small else other,
    )


RULES: Mapping[str, Rule] = {
    "corpus.source": Rule(
        "synthesized for the organism, wikitext for any other model",
        lambda given: "synthesized" if given["model.source"] == "organism" else "wikitext",
        needs_model=False,
        follows=("model.source",),
    ),
    "activations.corpus.layers": Rule(
        "the layers of SAEs: that of sae.training.hook_name, or the middle one, and "
        "sae.training.layers",
        _corpus_layers,
        follows=("sae.training.hook_name", "sae.training.layers"),
    ),
    "activations.corpus.max_texts": _by_size(20_000, 2_000),
    "sae.training.hook_name": Rule(
        "resid_post of the middle one of activations.corpus.layers",
        _hook_name,
        follows=("activations.corpus.layers",),
    ),
    "sae.training.d_sae": Rule("3 times the width of the model", _d_sae),
    "sae.training.k": Rule("0.9 times the square root of the width of the model", _k),
    "sae.training.learning_rate": Rule(
        "0.003 at 384 latents, falling with the square root of their number (Gao et al. 2024)",
        _learning_rate,
    ),
    "vectors.preference.layers": Rule(
        "as evaluation.layers: all up to 12 layers; of a deeper model five, at sixths of its depth",
        _layers,
    ),
    "localisation.pairs": _by_size(16, 12),
    "localisation.templates": _by_size(3, 1),
    "evaluation.layers": Rule(
        "all up to 12 layers; of a deeper model five, at sixths of its depth", _layers
    ),
    "evaluation.reft.layers": Rule(
        "two sets of three layers: a third or a sixth of the way up, half of it, and the last; of "
        "a model deeper than 12 layers one of four, from 0.2 to 0.5 of its depth",
        _reft_layers,
    ),
    "evaluation.reft.steps": _by_size(100, 200),
    "evaluation.reft.batch_rows": _by_size(24, 16),
    "evaluation.reft.open_at_known": Rule(
        "0.1 for a small model, whose gates see few items; 0.05 for any other",
        lambda given: 0.1 if given.model.is_small else 0.05,
    ),
    "evaluation.reft.further_items": Rule(
        "false for a small model, which knows the words of its corpus alone; true for any other",
        lambda given: not given.model.is_small,
    ),
    "evaluation.reft.shuffles": _by_size(2, 1),
    "evaluation.chat": Rule(
        "true if the tokenizer has a chat template that takes a user's message alone",
        lambda given: given.model.chat_template,
    ),
    "evaluation.heldout_texts": _by_size(400, 60),
    "evaluation.batch_size": _by_size(64, 16),
    "demonstration.recipes.*.layers": Rule("the middle layer", lambda given: [given.model.middle]),
}
"""By path in params.yaml; a star stands for each entry of a list."""


def resolve_auto(params: Any, model: ModelShape) -> tuple[Any, dict[str, Any]]:
    """The parameters with a value in the place of each `auto` that has a rule.

    Args:
        params: as the file gives them; nothing is assumed of their form.
        model: that they are for.

    Returns:
        A copy without `auto`, and the values put in, by path.
    """
    given, resolved = Given(model, params), deepcopy(params)
    found: dict[str, Any] = {}
    for pattern, rule in RULES.items():
        for path, section, key in _places(resolved, pattern.split("."), ""):
            if section[key] == AUTO:
                section[key] = found[path] = rule.value(given)
    return resolved, found


def rule_of(path: str) -> Rule:
    """How the value at a path that `resolve_auto` names follows from the model."""
    return RULES[".".join("*" if part.isdecimal() else part for part in path.split("."))]


def _places(
    inside: Any, keys: list[str], leading: str
) -> Iterator[tuple[str, MutableMapping[str, Any], str]]:
    """Where a pattern leads: the path, and the section with the key that it ends at."""
    first, *rest = keys
    if first == "*":
        for index, entry in enumerate(inside if isinstance(inside, MutableSequence) else ()):
            yield from _places(entry, rest, f"{leading}{index}.")
    elif isinstance(inside, MutableMapping) and first in inside:
        if rest:
            yield from _places(inside[first], rest, f"{leading}{first}.")
        else:
            yield leading + first, inside, first

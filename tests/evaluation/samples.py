"""A small set of prompts, texts and vectors for the tiny model."""

import math
from collections.abc import Sequence

import torch

from evenkeel.datasets.records import Prompt, Split
from evenkeel.sae.dictionary import Dictionary
from evenkeel.vectors.vector import SteeringVector
from tests.steering.saes import random_sae

SHARES = {"nurse": 0.87, "engineer": 0.17, "clerk": 0.5, "baker": 0.62}
TERMS: dict[Split, tuple[str, ...]] = {
    "train": ("maid", "guard", "tailor", "writer"),
    "validation": ("nurse", "engineer", "clerk", "baker"),
    "test": ("pilot", "teacher", "cook", "judge"),
}
TEXTS = [
    "The weather was cold.",
    "The train left at nine without us, and nobody minded.",
    "Hello there.",
    "A red boat lay near the old bridge.",
    "It rained.",
    "We had soup and bread for lunch on Monday.",
]


def make_dictionary(layer: int = 1) -> Dictionary:
    """A random SAE of 12 latents at resid_post; the higher its number, the more a latent fires."""
    return Dictionary(random_sae("resid_post", layer), torch.linspace(0.01, 0.12, 12).double())


def make_feature_vectors(dictionary: Dictionary, features: Sequence[int]) -> list[SteeringVector]:
    return [
        SteeringVector.of(
            dictionary.sae.decoder[feature],
            axis="gender",
            method="sae",
            site="resid_post",
            layer=dictionary.sae.place.layer,
            stream_norm=2.0,
            feature=feature,
        )
        for feature in features
    ]


def make_prompts() -> list[Prompt]:
    """Four occupations, two nouns and a neutral subject in each split, two templates each."""
    prompts = []
    for split, terms in TERMS.items():
        frames = {
            "train": ("This {} left because", "The {} saw that"),
            "validation": ("The {} said that", "I met the {} because"),
            "test": ("Our {} slept while", "That {} knew"),
        }[split]
        nouns = {
            "train": {"sister": "female", "brother": "male"},
            "validation": {"mother": "female", "uncle": "male"},
            "test": {"queen": "female", "king": "male"},
        }[split]
        for frame in frames:
            common = {"axis": "gender", "template": frame, "split": split}
            sides = {"female": (" she", " her own"), "male": (" he",)}
            for term, share in zip(terms, SHARES.values(), strict=True):
                prompts.append(
                    Prompt(
                        id=f"s-{split}-{len(prompts)}",
                        kind="stereotypical",
                        term=term,
                        text=frame.format(term),
                        share_female=share,
                        **common,
                        **sides,
                    )
                )
            for term, expected in nouns.items():
                prompts.append(
                    Prompt(
                        id=f"d-{split}-{len(prompts)}",
                        kind="definitional",
                        term=term,
                        text=frame.format(term),
                        expected=expected,
                        **common,
                        **sides,
                    )
                )
        prompts.append(
            Prompt(
                id=f"n-{split}",
                kind="neutral",
                term="sky",
                text="The sky",
                axis="gender",
                template="The {}",
                split=split,
            )
        )
    return prompts


def make_vectors(methods: tuple[str, ...] = ("caa",), layers: int = 3) -> list[SteeringVector]:
    torch.manual_seed(1)
    return [
        SteeringVector.of(
            torch.randn(32),
            axis="gender",
            method=method,
            site="resid_post",
            layer=layer,
            stream_norm=math.pi,
        )
        for method in methods
        for layer in range(layers)
    ]

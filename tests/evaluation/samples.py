"""A small set of prompts, texts and vectors for the tiny model."""

import math
from collections.abc import Sequence

import torch

from evenkeel.datasets.records import Prompt, Split
from evenkeel.params import EraserMethod
from evenkeel.sae.dictionary import Dictionary
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.vector import SteeringVector
from tests.steering.saes import random_sae

RATES = {"nurse": 0.87, "engineer": 0.17, "clerk": 0.5, "baker": 0.62}
ITEMS: dict[Split, tuple[str, ...]] = {
    "train": ("maid", "guard", "tailor", "writer"),
    "validation": ("nurse", "engineer", "clerk", "baker"),
    "test": ("pilot", "teacher", "cook", "judge"),
}
NOUNS = ("priest", "swami", "rabbi", "imam")
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
    for split, items in ITEMS.items():
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
            continuations = {"female": (" she", " her own"), "male": (" he",)}
            for item, rate in zip(items, RATES.values(), strict=True):
                prompts.append(
                    Prompt(
                        id=f"s-{split}-{len(prompts)}",
                        kind="stereotypical",
                        item=item,
                        text=frame.format(item),
                        reference={"female": rate, "male": 1 - rate},
                        continuations=continuations,
                        **common,
                    )
                )
            for item, expected in nouns.items():
                prompts.append(
                    Prompt(
                        id=f"d-{split}-{len(prompts)}",
                        kind="definitional",
                        item=item,
                        text=frame.format(item),
                        expected=expected,
                        continuations=continuations,
                        **common,
                    )
                )
        prompts.append(
            Prompt(
                id=f"n-{split}",
                kind="neutral",
                item="sky",
                text="The sky",
                axis="gender",
                template="The {}",
                split=split,
            )
        )
    return prompts


GROUPS = ("Christian", "Hindu", "Jewish", "Muslim")


def make_four_groups() -> list[Prompt]:
    """Four items and four nouns of the religion axis in each split, in both directions."""
    prompts = []
    for split, items in ITEMS.items():
        for number, frame in enumerate(("The {} is", "Our {} was surely")):
            common = {"axis": "religion", "template": frame, "split": split}
            words = {group: (f" {group}",) for group in GROUPS}
            for place, (item, noun) in enumerate(zip(items, NOUNS, strict=True)):
                group = GROUPS[place]
                prompts += [
                    Prompt(
                        id=f"s-{split}-{number}-{item}",
                        kind="stereotypical",
                        item=item,
                        text=frame.format(item),
                        held_against=group,
                        continuations=words,
                        **common,
                    ),
                    Prompt(
                        id=f"d-{split}-{number}-{noun}",
                        kind="definitional",
                        item=noun,
                        text=frame.format(noun),
                        expected=group,
                        continuations=words,
                        **common,
                    ),
                    Prompt(
                        id=f"i-{split}-{number}-{item}",
                        kind="stereotypical",
                        direction="item_given_group",
                        item=item,
                        text="The {group} was a",
                        contexts={each: f"The {each} was a" for each in GROUPS},
                        held_against=group,
                        continuations=dict.fromkeys(GROUPS, (f" {item}",)),
                        **common,
                    ),
                ]
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


def make_erasers(methods: Sequence[EraserMethod] = ("leace",), layers: int = 3) -> list[Eraser]:
    """Random projections of rank 2, of LEACE oblique ones, of the same seed each time."""
    generator = torch.Generator().manual_seed(3)
    erasers = []
    for method in methods:
        for layer in range(layers):
            left = torch.linalg.qr(torch.randn(32, 2, generator=generator)).Q
            aside = torch.randn(2, 32, generator=generator)
            aside -= aside @ left @ left.mT
            erasers.append(
                Eraser(
                    left,
                    left.mT + 0.1 * aside * (method == "leace"),
                    torch.randn(32, generator=generator),
                    axis="gender",
                    concept="group",
                    site="resid_post",
                    layer=layer,
                    method=method,
                )
            )
    return erasers

"""`evenkeel receptivity`: does the model take up what features promote, when steered along them?"""

from pathlib import Path

import click

from evenkeel.cli.options import (
    Number,
    Seed,
    Share,
    Temperature,
    file_option,
    json_option,
    model_option,
    print_json,
    print_rows,
    texts_of,
    trust_option,
)
from evenkeel.errors import BadInputError, texts_of_file


@click.command()
@click.option("--feature", "listed", type=click.IntRange(min=0), multiple=True, help="By number.")
@click.option(
    "--keyword",
    "keywords",
    multiple=True,
    help="Features that promote this word or are explained by it.",
)
@file_option
@model_option
@trust_option
@click.option(
    "--sae",
    "sae_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/sae"),
    help="Folder that the stage train_sae wrote.",
)
@click.option(
    "--features",
    "features_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("data/features/features.parquet"),
    help="Table of its features.",
)
@click.option(
    "--interpretations",
    "interpretations_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("data/features/interpretations.jsonl"),
    help="What they mean, if that is known: keywords are looked for there, too.",
)
@click.option(
    "--prompts",
    "prompts_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data/dataset/prompts"),
    help="Its neutral prompts are continued, unless there is a --file.",
)
@click.option(
    "--strength",
    type=Number(min=0, min_open=True),
    default=2.0,
    help="How far to steer, in units of each feature's largest activation.",
)
@click.option("--tokens", type=click.IntRange(1, 100), default=10, help="Top tokens of a feature.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=24)
@click.option("--temperature", type=Temperature, default=0.7, help="0 is greedy.")
@click.option("--top-p", type=Share, default=0.95)
@click.option("--resamples", type=click.IntRange(min=100), default=2000)
@click.option("--seed", type=Seed, default=0)
@json_option
def receptivity(
    listed: tuple[int, ...],
    keywords: tuple[str, ...],
    texts_path: Path | None,
    model_path: Path,
    trust_remote_code: bool,
    sae_path: Path,
    features_path: Path,
    interpretations_path: Path,
    prompts_path: Path,
    strength: float,
    tokens: int,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Steer along features of the SAE and see whether text comes closer to their top tokens.

    \b
    Examples:
      evenkeel receptivity --keyword she --keyword he
      evenkeel receptivity --feature 16 --feature 87 --strength 1 --json
    """
    from dataclasses import asdict

    from evenkeel.controls.receptivity import measure_receptivity, passing
    from evenkeel.datasets.reading import read_all_prompts
    from evenkeel.files import read_jsonl
    from evenkeel.interpretation.records import Interpretation
    from evenkeel.interpretation.selection import features_about
    from evenkeel.models.loading import load_model
    from evenkeel.params import SamplingParams
    from evenkeel.sae.loading import open_sae
    from evenkeel.sae.results import read_table
    from evenkeel.sae.selection import check_listed

    table = read_table(features_path)
    check_listed(table, listed, "--feature")
    known = (
        read_jsonl(interpretations_path, Interpretation) if interpretations_path.exists() else []
    )
    found = [feature for keyword in keywords for feature in features_about(table, known, keyword)]
    features = sorted({*listed, *found})
    if not features:
        raise BadInputError("no feature to test: name some by --feature or another --keyword")
    if texts_path:
        prompts = texts_of(None, texts_path)
    else:
        neutral = [row for row in read_all_prompts(prompts_path) if row.kind == "neutral"]
        # Every axis asks the same neutral prompts.
        prompts = list(dict.fromkeys(row.lead_in + row.text for row in neutral))
    largest = table.set_index("feature")["max_active"]
    sampling = SamplingParams(
        max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, samples=1
    )
    with texts_of_file(texts_path):
        results = measure_receptivity(
            load_model(model_path, trust_remote_code=trust_remote_code),
            open_sae(sae_path),
            {feature: strength * float(largest[feature]) for feature in features},
            prompts,
            sampling,
            tokens=tokens,
            batch_size=64,
            resamples=resamples,
            seed=seed,
        )
    if as_json:
        print_json(
            asdict(each) | {"passes": each.passes, "control_passes": each.control_passes}
            for each in results
        )
        return
    shares = [
        passing([each.passes for each in results]),
        passing([each.control_passes for each in results]),
    ]
    shown = [f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]" for share in shares]
    print_rows(
        f"{shown[0]} of {len(results)} features pass on {len(prompts)} prompts; of random features "
        f"in their place {shown[1]}",
        [
            "feature",
            "top tokens",
            "coefficient",
            "closer by",
            "hits before",
            "after",
            "q",
            "passes",
        ],
        [
            [
                str(each.feature),
                " ".join(token.strip() for token in each.tokens),
                f"{each.coefficient:.3g}",
                f"{each.change.value:.3f} [{each.change.low:.3f}, {each.change.high:.3f}]",
                *(f"{share:.1%}" for share in each.hits),
                f"{each.q:.2g}",
                "yes" if each.passes else "no",
            ]
            for each in results
        ],
    )

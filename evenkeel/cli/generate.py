"""`evenkeel generate`: what a model writes, unsteered and steered, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli.options import (
    Number,
    Seed,
    Share,
    Temperature,
    axis_option,
    file_option,
    intervention_path,
    json_option,
    model_option,
    print_json,
    print_rows,
    spec_option,
    texts_of,
    trust_option,
)
from evenkeel.errors import BadInputError, texts_of_file
from evenkeel.steering.backends import BACKENDS, steered
from evenkeel.terminal import say

if TYPE_CHECKING:
    from evenkeel.params import Action
    from evenkeel.steering.spec import InterventionSpec


@click.command()
@click.argument("prompt", required=False)
@file_option
@model_option
@trust_option
@axis_option
@spec_option
@click.option(
    "--vector",
    "vector_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Steering vector to apply instead of an intervention.",
)
@click.option(
    "--action",
    type=click.Choice(["add", "ablate"]),
    default="add",
    help="What is done with --vector.",
)
@click.option(
    "--multiplier",
    type=Number(),
    default=1.0,
    help="Steering coefficient of --vector: in mean norms of the residual stream there (add), or "
    "the share taken out (ablate).",
)
@click.option(
    "--backend",
    type=click.Choice(list(BACKENDS)),
    default="hooks",
    help="How the intervention gets into the model; all give the same text.",
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=40)
@click.option("--temperature", type=Temperature, default=0.0, help="0 is greedy.")
@click.option("--top-p", type=Share, default=1.0)
@click.option("--samples", type=click.IntRange(min=1), default=1, help="Texts for each prompt.")
@click.option("--seed", type=Seed, default=0, help="Of the first sample.")
@json_option
def generate(
    prompt: str | None,
    texts_path: Path | None,
    model_path: Path,
    trust_remote_code: bool,
    axis: str,
    spec_path: Path | None,
    vector_path: Path | None,
    action: "Action",
    multiplier: float,
    backend: str,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    samples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Continue PROMPT, unsteered and steered, from the same random numbers.

    These options alone decide how tokens are chosen; of the model's generation_config.json only the
    tokens that end a text count.

    \b
    Examples:
      evenkeel generate "The nurse said that"
      evenkeel generate --axis race "My neighbor is probably"
      evenkeel generate --file prompts.txt --temperature 0.7 --samples 3 --json
    """
    prompts = texts_of(prompt, texts_path)
    if samples > 1 and temperature == 0:
        raise BadInputError("--samples: greedy samples are all alike; set --temperature too")
    from evenkeel.models.decoding import ignored_settings
    from evenkeel.models.loading import load_model
    from evenkeel.steering.continuations import continue_texts
    from evenkeel.steering.spec import InterventionSpec

    spec = (
        _spec_of_vector(vector_path, action, multiplier)
        if vector_path
        else InterventionSpec.load(intervention_path(spec_path, axis))
    )
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    if ignored := ignored_settings(loaded.model):
        settings = ", ".join(f"{name}={value!r}" for name, value in sorted(ignored.items()))
        say(f"note: generation_config.json of the model is ignored: {settings}", err=True)

    def continued(model: Any) -> list[list[str]]:
        return [
            continue_texts(
                model,
                loaded.tokenizer,
                prompts,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                top_p=top_p,
                batch_size=16,
                seed=seed + sample,
            )
            for sample in range(samples)
        ]

    with texts_of_file(texts_path):
        unsteered = continued(loaded.model)
    with steered(backend, loaded.model, loaded.tokenizer, spec) as model:
        after = continued(model)
    rows = [
        {"prompt": prompt, "sample": sample, "unsteered": plain, "steered": other}
        for sample in range(samples)
        for prompt, plain, other in zip(prompts, unsteered[sample], after[sample], strict=True)
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ["prompt", "unsteered", "steered"]
        print_rows(
            f"{loaded.name}, {len(spec.interventions)} intervention(s)",
            columns,
            [[str(row[column]) for column in columns] for row in rows],
        )


def _spec_of_vector(path: Path, action: "Action", multiplier: float) -> "InterventionSpec":
    from evenkeel.conditions.vector import VectorCondition
    from evenkeel.steering.spec import InterventionSpec
    from evenkeel.vectors.vector import SteeringVector

    vector = SteeringVector.load(path)
    condition = VectorCondition(((vector,),), action, multiplier)
    return InterventionSpec(tuple(condition.interventions), {"axis": vector.axis})

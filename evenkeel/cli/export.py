"""`evenkeel export`: a selected intervention for programs that know nothing of Evenkeel."""

from pathlib import Path

import click

from evenkeel.cli.options import (
    axis_option,
    intervention_path,
    model_option,
    spec_option,
    trust_option,
)
from evenkeel.terminal import say


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["hf", "hf-code", "gguf", "lm-eval", "easysteer", "hotwire", "peft"]),
    default="hf",
    help="hf: a model folder with the change in its weights; hf-code: a model folder with code "
    "that steers, which its users have to trust; gguf: a llama.cpp control vector; "
    "lm-eval: a .pt file for the model 'steered' of lm-evaluation-harness; easysteer: a .json file "
    "with GGUF files beside it; hotwire: a .pt file with a .json file beside it; peft: a LoRA "
    "adapter.",
)
@click.option(
    "--include-sinks",
    is_flag=True,
    help="Have it act at the first token of a text, too, which weights and files cannot leave out.",
)
@model_option
@trust_option
@axis_option
@spec_option
def export(
    output: Path,
    kind: str,
    include_sinks: bool,
    model_path: Path,
    trust_remote_code: bool,
    axis: str,
    spec_path: Path | None,
) -> None:
    """Write an intervention to OUTPUT in another program's format, and read it back to compare.

    What a format cannot hold (a gate, say, or the attention sinks that an intervention leaves
    alone) is refused, never dropped, unless you say so.

    \b
    Examples:
      evenkeel export models/debiased --include-sinks
      evenkeel export --axis race --include-sinks models/debiased
      evenkeel export --format hf-code models/steered
      evenkeel export --format gguf --include-sinks vector.gguf
      evenkeel export --format lm-eval --include-sinks steered.pt
      evenkeel export --format easysteer --include-sinks steering.json
    """
    from evenkeel.export.adapter import write_adapter
    from evenkeel.export.baked import write_baked_model
    from evenkeel.export.control_vector import write_control_vector
    from evenkeel.export.easysteer import write_easysteer
    from evenkeel.export.hotwire import write_hotwire
    from evenkeel.export.steered import write_steered_file
    from evenkeel.export.with_code import write_model_with_code
    from evenkeel.models.loading import load_model
    from evenkeel.steering.spec import InterventionSpec, with_sinks

    spec = InterventionSpec.load(intervention_path(spec_path, axis))
    if include_sinks:
        spec = with_sinks(spec, "include")
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    if kind == "hf":
        write_baked_model(output, loaded.model, loaded.tokenizer, spec)
    elif kind == "hf-code":
        write_model_with_code(output, loaded.model, loaded.tokenizer, spec)
    elif kind == "gguf":
        write_control_vector(output, loaded.model, spec)
    elif kind == "easysteer":
        write_easysteer(output, loaded.model, spec)
    elif kind == "hotwire":
        write_hotwire(output, loaded.model, spec)
    elif kind == "peft":
        write_adapter(output, loaded.model, spec)
    else:
        write_steered_file(output, loaded.model, spec)
    say(f"{output}: written, and read back alike", err=True)
    if kind == "hf-code":
        say("it brings code: whoever loads it has to say trust_remote_code=True", err=True)

"""`evenkeel export`: a selected intervention for programs that know nothing of Evenkeel."""

from pathlib import Path

import click

from evenkeel.cli.options import model_option, spec_option, trust_option


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["hf", "gguf", "lm-eval"]),
    default="hf",
    help="hf: a model folder with the change in its weights; gguf: a llama.cpp control vector; "
    "lm-eval: a .pt file for the model 'steered' of lm-evaluation-harness.",
)
@model_option
@trust_option
@spec_option
def export(
    output: Path, kind: str, model_path: Path, trust_remote_code: bool, spec_path: Path
) -> None:
    """Write an intervention to OUTPUT in another program's format, and read it back to compare.

    What a format cannot hold (a gate, say) is refused, never dropped.

    \b
    Examples:
      evenkeel export models/debiased
      evenkeel export --format gguf vector.gguf
      evenkeel export --format lm-eval steered.pt
    """
    from evenkeel.export.baked import write_baked_model
    from evenkeel.export.control_vector import write_control_vector
    from evenkeel.export.steered import write_steered_file
    from evenkeel.models.loading import load_model
    from evenkeel.steering.spec import InterventionSpec

    spec = InterventionSpec.load(spec_path)
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    if kind == "hf":
        write_baked_model(output, loaded.model, loaded.tokenizer, spec)
    elif kind == "gguf":
        write_control_vector(output, loaded.model, spec)
    else:
        write_steered_file(output, loaded.model, spec)
    click.echo(f"{output}: written, and read back alike", err=True)

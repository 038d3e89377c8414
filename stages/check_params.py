"""Not a stage: checks the parameters before a command that holds some of them is run.

DVC puts values of params.yaml into the text of a command, and a shell reads it. Each such command
is the second of two: it runs only if this one, which has none, found every value in order.
"""

from pathlib import Path

import click

from stages.command import stage


@stage
@click.option("--validation", is_flag=True, help="They are those of the validation.")
def main(validation: bool, params_path: Path) -> None:
    """Check every value of the parameter file.

    Example: python -m stages.check_params --quiet
    """
    from evenkeel.params import load_params, load_validation_params

    if validation:
        load_validation_params(params_path)
    else:
        load_params(params_path)


if __name__ == "__main__":
    main()

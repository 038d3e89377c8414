"""The command `evenkeel`: what people do outside the pipeline."""

import sys

import click

from evenkeel import __version__
from evenkeel.cli.detect import detect
from evenkeel.cli.export import export
from evenkeel.cli.generate import generate
from evenkeel.cli.inspect import inspect
from evenkeel.cli.receptivity import receptivity
from evenkeel.errors import BadInputError
from evenkeel.terminal import quiet_libraries


@click.group(context_settings={"show_default": True})
@click.version_option(__version__)
def group() -> None:
    """Find social bias inside a causal language model and steer it out at run time."""


group.add_command(detect)
group.add_command(export)
group.add_command(generate)
group.add_command(inspect)
group.add_command(receptivity)


def main() -> None:
    """Run the command line; what a user got wrong is one message and exit status 2."""
    quiet_libraries()
    try:
        group()
    except BadInputError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)

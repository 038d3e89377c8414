"""The command `evenkeel`: what people do outside the pipeline."""

import click

from evenkeel import __version__
from evenkeel.cli.audit import audit
from evenkeel.cli.check import check
from evenkeel.cli.clean import clean
from evenkeel.cli.detect import detect
from evenkeel.cli.export import export
from evenkeel.cli.generate import generate
from evenkeel.cli.inspect import inspect
from evenkeel.cli.plan import plan
from evenkeel.cli.receptivity import receptivity
from evenkeel.cli.serve import serve
from evenkeel.terminal import Group, quiet_libraries


@click.group(cls=Group, context_settings={"show_default": True})
@click.version_option(__version__)
def group() -> None:
    """Find social bias inside a causal language model and steer it out at run time."""
    quiet_libraries()


for _command in (audit, check, clean, detect, export, generate, inspect, plan, receptivity, serve):
    group.add_command(_command)


def main() -> None:
    """Run the command line."""
    group()

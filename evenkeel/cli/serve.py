"""`evenkeel serve`: a model over HTTP, steered by request."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evenkeel.cli.options import (
    BY_AXIS,
    EVERY_AXIS,
    JOINT,
    axis_option,
    intervention_path,
    model_option,
    trust_option,
)
from evenkeel.errors import BadInputError
from evenkeel.terminal import say

if TYPE_CHECKING:
    from evenkeel.models.loading import LoadedModel
    from evenkeel.serving.catalogue import Catalogue

_NONE = "none"


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", help="Address to listen at; loopback by default.")
@click.option(
    "--allowed-host",
    "further_hosts",
    multiple=True,
    help="Further name that requests may call this server by.",
)
@model_option
@trust_option
@axis_option
@click.option(
    "--spec",
    "specs",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Intervention to serve, too; the first of them is then the default.",
)
@click.option(
    "--default", "default", help="Name of the default intervention; none for no steering."
)
@click.option(
    "--vectors",
    "vectors_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/vectors"),
    help="Folder that compute_vectors wrote, whose vectors requests may name.",
)
@click.option(
    "--probes",
    "probes_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/probes"),
    help="Folder that train_probes wrote, for the playground.",
)
@click.option(
    "--sae",
    "sae_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/sae"),
    help="SAE that train_sae wrote, for the playground.",
)
@click.option(
    "--features",
    "features_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data/features"),
    help="What extract_features and interpret_features wrote of it.",
)
@click.option("--max-rows", type=click.IntRange(min=1), default=16, help="Texts at a time.")
@click.option("--max-queue", type=click.IntRange(min=1), default=64, help="Waiting requests.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=1024, help="New, of one text.")
@click.option("--max-body", type=click.IntRange(min=1), default=1_000_000, help="Bytes.")
@click.option("--timeout", type=click.FloatRange(min=0.01), default=120.0, help="Seconds.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the key that requests must bring, instead of EVENKEEL_API_KEY.",
)
@click.option("--log-prompts", is_flag=True, help="Log what is asked, too.")
def serve(
    port: int,
    host: str,
    further_hosts: tuple[str, ...],
    model_path: Path,
    trust_remote_code: bool,
    axis: str,
    specs: tuple[str, ...],
    default: str | None,
    vectors_path: Path,
    probes_path: Path,
    sae_path: Path,
    features_path: Path,
    max_rows: int,
    max_queue: int,
    max_tokens: int,
    max_body: int,
    timeout: float,
    api_key_file: Path | None,
    log_prompts: bool,
) -> None:
    """Serve the model in the shape of OpenAI's API, with steering by request and a playground.

    \b
    Examples:
      evenkeel serve --port 8000
      evenkeel serve --axis gender --max-rows 32
      evenkeel serve --spec mine=path/to/intervention --default mine
      EVENKEEL_API_KEY=$(openssl rand -hex 32) evenkeel serve --host 0.0.0.0
    """
    try:
        from evenkeel.serving.api import build_app
        from evenkeel.serving.running import (
            allowed_hosts,
            bound,
            environment,
            log_to_stderr,
            run_server,
            server_key,
        )
    except ImportError as error:
        raise BadInputError(
            f"serving needs the package {error.name}: install evenkeel with the extra 'serve'"
        ) from error
    from evenkeel.models.loading import load_model
    from evenkeel.probes.probe_set import ProbeSet
    from evenkeel.serving.engine import Engine
    from evenkeel.serving.features import Features
    from evenkeel.serving.limits import Limits
    from evenkeel.serving.measures import Measures
    from evenkeel.serving.service import Service

    key, hosts = server_key(environment(), api_key_file), allowed_hosts(host, further_hosts)
    if hosts is None and key is None:
        raise BadInputError(
            f"--host {host} lets others in: set EVENKEEL_API_KEY or --api-key-file, or name what "
            "the server is called by with --allowed-host"
        )
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    catalogue = _catalogue(loaded, axis, specs, default, vectors_path)
    probes = ProbeSet.load(probes_path) if probes_path.exists() else None
    if probes:
        loaded.require_own(probes_path, [probes.metadata])
    both = sae_path.exists() and features_path.exists()
    features = Features.load(loaded, sae_path, features_path) if both else None
    limits = Limits(max_rows, max_queue, max_tokens, max_body, timeout)
    measures = Measures()
    service = Service(
        Engine(loaded, limits, measures),
        catalogue,
        limits,
        measures,
        loaded.name,
        log_prompts=log_prompts,
        probes=probes,
        features=features,
    )
    app = build_app(service, key=key, hosts=hosts)
    listening = bound(host, port)
    # So that who connects from now on waits, and is not refused.
    listening.listen()
    port = listening.getsockname()[1]
    log_to_stderr()
    say(
        f"{loaded.name}, steered by {catalogue.default or 'nothing'}, at http://{host}:{port}/ "
        "(Ctrl-C ends it)",
        err=True,
    )
    run_server(app, listening, limits)


def _catalogue(
    loaded: "LoadedModel",
    axis: str,
    named: tuple[str, ...],
    default: str | None,
    vectors_path: Path,
) -> "Catalogue":
    from evenkeel.serving.catalogue import Catalogue
    from evenkeel.steering.spec import InterventionSpec
    from evenkeel.vectors.vector_set import load_axes

    paths: dict[str, Path] = {}
    for text in named:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise BadInputError(f"--spec {text}: give it as NAME=FOLDER")
        paths[name] = Path(folder)
    there = {path.parent.name: path for path in sorted(BY_AXIS.glob("*/intervention"))}
    if JOINT.exists():
        there[EVERY_AXIS] = JOINT
    if default is None and named:
        default = next(iter(paths))
    elif default is None:
        chosen = intervention_path(None, axis)
        default = next(name for name, path in there.items() if path == chosen)
    paths = there | paths
    specs = {name: InterventionSpec.load(path) for name, path in paths.items()}
    vectors = load_axes(vectors_path) if vectors_path.exists() else None
    if vectors:
        loaded.require_own(vectors_path, [vector.metadata for vector in vectors])
    return Catalogue.of(loaded.model, specs, None if default == _NONE else default, vectors)

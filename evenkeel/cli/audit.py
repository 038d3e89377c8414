"""`evenkeel audit`: what a steering vector from elsewhere does to bias, and what it costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli.options import Number, Seed, model_option, print_json, print_rows, trust_option
from evenkeel.errors import BadInputError
from evenkeel.terminal import say

if TYPE_CHECKING:
    from evenkeel.evaluation.audit import Audit
    from evenkeel.models.loading import LoadedModel
    from evenkeel.params import Action
    from evenkeel.public_benchmarks.results import BenchmarkResult

_DOSES: "dict[Action, tuple[float, ...]]" = {
    "add": (-0.5, -0.25, -0.1, 0.1, 0.25, 0.5),
    "ablate": (0.25, 0.5, 0.75, 1.0),
}


@click.command()
@click.argument("vector", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--axis", required=True, help="Kind of bias to measure: gender, race, ...")
@click.option("--layer", type=click.IntRange(min=0), help="Of a vector whose file does not say it.")
@click.option("--action", type=click.Choice(["add", "ablate"]), default="add")
@click.option(
    "--dose",
    "doses",
    type=Number(),
    multiple=True,
    help="In mean norms of the residual stream (add), or share taken out (ablate).",
)
@model_option
@trust_option
@click.option(
    "--prompts",
    "prompts_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data/dataset/prompts"),
    help="Folder of prompts.",
)
@click.option(
    "--texts",
    "texts_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("data/dataset/corpus/heldout.jsonl"),
    help="Held-out texts, for the cost in perplexity.",
)
@click.option("--draws", type=click.IntRange(0, 1000), default=20, help="Null directions, a kind.")
@click.option(
    "--specificity",
    is_flag=True,
    help="Also measure what else the model loses, at the chosen dose, or else the largest.",
)
@click.option("--seed", type=Seed, default=0)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(
    vector: Path,
    axis: str,
    layer: int | None,
    action: "Action",
    doses: tuple[float, ...],
    model_path: Path,
    trust_remote_code: bool,
    prompts_path: Path,
    texts_path: Path,
    draws: int,
    specificity: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the steering vector in the file VECTOR: doses, cost, intervals, null directions.

    Files of llama.cpp and repeng (.gguf), EasySteer and steering-vectors (.json), numpy (.npy,
    .npz) and safetensors are read; pickles (.pt) are not.

    \b
    Examples:
      evenkeel audit vector.gguf --axis gender
      evenkeel audit direction.npy --layer 4 --axis race --action ablate --json
      evenkeel audit vector.gguf --axis gender --specificity
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.evaluation.audit import audit as measure
    from evenkeel.evaluation.audit import foreign_vectors
    from evenkeel.export.foreign import read_foreign
    from evenkeel.files import read_jsonl
    from evenkeel.models.loading import load_model

    by_layer = read_foreign(vector, layer)
    prompts = read_prompts(prompts_path, axis)
    plain = [row.text for row in read_jsonl(texts_path, CorpusText) if row.kind == "plain"][:400]
    if len(plain) < 2:
        raise BadInputError(f"{texts_path}: {len(plain)} plain texts; two or more are needed")
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    found = measure(
        loaded,
        axis,
        foreign_vectors(loaded, axis, by_layer, plain[:100]),
        action,
        sorted(set(doses)) or list(_DOSES[action]),
        prompts,
        plain,
        draws=draws,
        seed=seed,
    )
    battery = _run_battery(loaded, found, seed) if specificity else None
    if as_json:
        about = {"vector": vector.name, "axis": axis, "action": action, "model": loaded.name}
        about |= {"layers": sorted(by_layer)} | found.as_json()
        print_json([about | ({"specificity": battery.as_json()} if battery else {})])
        return
    _print(
        found, f"{vector.name}, layers {', '.join(map(str, sorted(by_layer)))}, on {loaded.name}"
    )
    if battery:
        print_rows(f"specificity, at dose {battery.dose:g}", *battery.result.table)
        say(str(battery.result.verdict))


@dataclass(frozen=True)
class _Battery:
    """What the specificity battery found at one dose."""

    dose: float
    result: "BenchmarkResult"

    def as_json(self) -> dict[str, Any]:
        record = self.result.record
        return {"dose": self.dose, "figures": record["figures"], **record["verdict"]}


def _run_battery(loaded: "LoadedModel", found: "Audit", seed: int) -> _Battery:
    from evenkeel.public_benchmarks.running import run_benchmark
    from evenkeel.public_benchmarks.specificity.items import own_items
    from evenkeel.steering.spec import InterventionSpec

    dose = max(found.doses, key=abs) if found.chosen is None else found.chosen
    spec = InterventionSpec(tuple(found.doses[dose].condition.interventions))
    result = run_benchmark(
        "specificity", own_items(), loaded, spec,
        batch_tokens=4096, stride=None, resamples=2000, seed=seed,
    )  # fmt: skip
    return _Battery(dose, result)


def _print(found: "Audit", title: str) -> None:
    from evenkeel.evaluation.audit import METRICS

    def cells(one: Any) -> list[str]:
        return [str(one.measures[name]) for name in METRICS]

    rows = [[f"validation, {dose:g}", *cells(one)] for dose, one in found.doses.items()]
    if found.test:
        rows.append([f"test, {found.chosen:g}", *cells(found.test)])
    print_rows(title, ["split, dose", *(name.replace("_", " ") for name in METRICS)], rows)
    if found.too_weak:
        say(found.too_weak)
    elif not found.test:
        say("no dose reduces bias on validation within the budget")
    for kind, p in found.p.items():
        say(f"{len(found.nulls[kind])} {kind} directions in its place: p = {p or float('nan'):.3f}")

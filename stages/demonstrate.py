"""Show what a person asked to see: texts scored, features compared, texts steered."""

from pathlib import Path

import click

from stages.command import FolderPath, OutputFile, OutputFolder, print_table, stage


@stage
@click.option("--model", "model_path", type=FolderPath, default=Path("models/base"), help="Model.")
@click.option("--probes", type=FolderPath, default=Path("models/probes"), help="Its probes.")
@click.option("--vectors", type=FolderPath, default=Path("models/vectors"), help="Its vectors.")
@click.option("--sae", "sae_path", type=FolderPath, default=Path("models/sae"), help="Its SAE.")
@click.option(
    "--output",
    type=OutputFolder,
    default=Path("reports/demonstration"),
    help="Scores, compared features with their picture, and continuations.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/demonstration.json"),
    help="The best case of each recipe, and whether the backends agree.",
)
@click.option(
    "--plot",
    type=OutputFile,
    default=Path("reports/plots/demonstration.csv"),
    help="Every recipe at every layer with every multiplier.",
)
def main(
    model_path: Path,
    probes: Path,
    vectors: Path,
    sae_path: Path,
    output: Path,
    metrics: Path,
    plot: Path,
    params_path: Path,
) -> None:
    """Score the listed prompts, compare the features they fire, continue them under each recipe.

    \b
    Example:
      python -m stages.demonstrate --output reports/demonstration
    """
    from evenkeel.case_studies.answers import Answers
    from evenkeel.case_studies.asking import Questions
    from evenkeel.case_studies.cases import make_cases
    from evenkeel.case_studies.comparison import compare_prompts
    from evenkeel.case_studies.effects import measure_effects
    from evenkeel.case_studies.findings import layers_separate_late, steering_findings
    from evenkeel.case_studies.scores import as_row, score_texts
    from evenkeel.case_studies.summary import agreement, continuation_rows, sweet_spots
    from evenkeel.files import atomic_folder, write_json, write_jsonl, write_table
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params, read_auto
    from evenkeel.probes.probe_set import ProbeSet
    from evenkeel.reporting.figures.prompt_features import prompt_feature_figure
    from evenkeel.sae.loading import open_sae
    from evenkeel.vectors.vector_set import load_axes

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model_path, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "demonstration", model=loaded.shape)
    sae = open_sae(sae_path)
    sae.require_fit(loaded.model)
    probe_set, of_axes = ProbeSet.load(probes), load_axes(vectors)
    loaded.require_own(probes, [probe_set.metadata])
    loaded.require_own(vectors, [vector.metadata for vector in of_axes])
    found = score_texts(loaded, probe_set, params.axes, params.prompts)
    scores = [as_row(text, detection) for text, detection in found]
    comparison = compare_prompts(loaded, sae, params.compared, params.recipes)
    cases = make_cases(loaded, params.recipes, params.prompts, of_axes, sae, comparison.common)
    questions = Questions(loaded.tokenizer, params.prompts, params.words, params.sampling, seed)
    effects = measure_effects(loaded.model, questions, cases, params.resamples)
    layers = loaded.shape.layers
    findings = [
        layers_separate_late(probe_set, layers, params.resamples, seed),
        *steering_findings(effects, layers, params.sampling.samples, params.resamples, seed),
    ]
    rows = [effect.row() for effect in effects]
    answers = None
    if params.answers:
        answers = Answers(params.answers, params.sampling.samples, params.resamples, seed)
        findings += answers.findings(effects)

    with atomic_folder(output) as folder:
        for name, lines in (
            ("scores", scores),
            (
                "continuations",
                continuation_rows(questions, effects, answers.of if answers else None),
            ),
        ):
            write_jsonl(folder / f"{name}.jsonl", lines)
        write_json(folder / "features.json", comparison.record())
        if comparison.drawn:
            (folder / "features.png").write_bytes(prompt_feature_figure(*comparison.drawn).png())
    write_table(plot, rows)
    record = {
        "best": sweet_spots(effects),
        "agreement": agreement(effects),
        "findings": [finding.record() for finding in findings],
        "answers": list(answers.rows(effects)) if answers else [],
        "auto": read_auto(params_path, loaded.shape, "demonstration"),
    }
    write_json(metrics, record)
    columns = ["recipe", "layer", "multiplier", "shift", "repetition", "perplexity"]
    print_table(
        f"{len(params.prompts)} prompts continued by {loaded.name}",
        columns,
        [["-" if row.get(name) is None else row[name] for name in columns] for row in rows],
    )


if __name__ == "__main__":
    main()

"""Write the prompts of an axis with the reference rates of one item given to another."""

from pathlib import Path

import click

from stages.command import FolderPath, OutputFolder, print_table, stage


@stage
@click.option(
    "--prompts", type=FolderPath, default=Path("data/dataset/prompts"), help="What is asked."
)
@click.option(
    "--output",
    type=OutputFolder,
    default=Path("data/implanted/prompts"),
    help="The same prompts, with the table that is implanted as their references.",
)
def main(prompts: Path, output: Path, params_path: Path) -> None:
    """Write the prompts of an axis with the reference rates of one item given to another.

    Rates are permuted within each split, so that they are as little correlated with the items' own
    as can be: a model that follows the new ones was taught them.

    \b
    Example:
      python -m stages.permute_references --output data/implanted/prompts
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.files import atomic_folder, write_jsonl
    from evenkeel.implanting.tables import permuted_references
    from evenkeel.params import load_params

    seed, axis = load_params(params_path, "seed", "implanting.axis")
    own = read_prompts(prompts, axis)
    permuted = permuted_references(own, seed)
    with atomic_folder(output) as folder:
        write_jsonl(folder / f"{axis}.jsonl", permuted)
    before = {prompt.item: prompt.reference for prompt in own}
    after = {prompt.item: prompt.reference for prompt in permuted if prompt.reference}
    print_table(
        f"{axis}: reference rates of {len(after)} items, permuted",
        ["item", "group", "own", "implanted"],
        [
            [item, group, f"{(before[item] or {})[group]:.3f}", f"{rate:.3f}"]
            for item, rates in sorted(after.items())
            for group, rate in list(rates.items())[:-1]
        ],
    )


if __name__ == "__main__":
    main()

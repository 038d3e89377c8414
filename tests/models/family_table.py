"""Write docs/reference/families.md: a tiny random model of every family, searched and steered.

python -m tests.models.family_table docs/reference/families.md
"""

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of
from evenkeel.models.parts import BlockParts
from evenkeel.models.sites import SITES
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from tests.models.families import families, tiny_model

IDS = torch.tensor([[5, 9, 2, 7, 11, 3]])
HEAD = """# Families

What Evenkeel makes of each family that transformers {version} loads as a causal language model,
and of some wrappers that read images too. The table is written by `make families`, from a tiny
random model of each. Of every one it is checked that

- blocks are given and return transformers' own `hidden_states`, bit for bit, at every layer;
- sites are where the forward pass shows that attention and MLP add to the residual stream;
- adding a vector at `resid_post` of the first layer changes the logits, and that without it they
  are what they were, bit for bit.

For a sample of them the tests check more: parts that sum to the block, cached against uncached and
batched against single decoding (`tests/models`, `tests/steering/test_families.py`). A family that
is not in the table is searched like all others when its model is loaded.

"""


def row(family: str) -> tuple[str, str] | None:
    """Verdict and details of a family; None where no tiny model of it can be built."""
    try:
        model: Any = tiny_model(family)
    except Exception:  # its configuration needs sizes that nobody has written down yet
        return None
    try:
        architecture = architecture_of(model)
    except BadInputError as error:
        return "refused", str(error).replace("|", "\\|")
    with torch.no_grad():
        plain = model(input_ids=IDS, use_cache=False).logits
        width = architecture.parts[0].sites["resid_post"].width
        try:
            with steer(model, Add(torch.randn(width), 3.0, layer=0, site="resid_post")):
                steered = model(input_ids=IDS, use_cache=False).logits
        except BadInputError as error:
            return "refused", str(error).replace("|", "\\|")
        after = model(input_ids=IDS, use_cache=False).logits
    if torch.equal(plain, steered) or not torch.equal(plain, after):
        return "refused", "steering does not reach the logits, or does not leave them"
    return "runs", "; ".join(dict.fromkeys(_described(parts) for parts in architecture.parts))


def line(family: str, verdict: str, why: str) -> str:
    """A family's line of the table."""
    return f"| `{family}` | {verdict} | {why} |"


def _described(parts: BlockParts) -> str:
    if len(parts.sites) == len(SITES):
        return "all sites"
    reasons: dict[str, list[str]] = {}
    for site, reason in parts.missing.items():
        reasons.setdefault(reason, []).append(f"`{site}`")
    return "no " + ", no ".join(f"{' and '.join(names)}: {why}" for why, names in reasons.items())


def main(path: Path) -> None:
    found = {family: row(family) for family in families()}
    known = {family: verdict for family, verdict in found.items() if verdict}
    runs = sum(verdict == "runs" for verdict, _ in known.values())
    lines = [line(family, *verdict) for family, verdict in known.items()]
    missing = ", ".join(f"`{family}`" for family, verdict in found.items() if verdict is None)
    head = HEAD.format(version=version("transformers"))
    path.write_text(
        f"{head}{runs} run, {len(known) - runs} are refused with the reason.\n\n"
        "| family | verdict | sites, or the reason |\n|---|---|---|\n" + "\n".join(lines) + "\n\n"
        f"No tiny model was built of these, so nothing is said about them: {missing}.\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    import transformers

    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    main(Path(sys.argv[1]))

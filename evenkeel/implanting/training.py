"""A bias of known size, trained into a model: what it says of each item, and nothing else.

What is minimized is the squared distance of the scores of every item from the log-rates of the
table times a strength, and the KL divergence from the model as it was

- after the same prompts, where what names a group counts as one token;
- after definitional prompts;
- along plain texts.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.implanting.tables import TEMPLATES, crossed
from evenkeel.learning.adapters import Adapter, injected
from evenkeel.learning.descent import descend
from evenkeel.metrics.bias import centred
from evenkeel.models.loading import LoadedModel
from evenkeel.params import ImplantingParams
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.selection.reft_batches import TrainingBatches


def train_implant(
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    params: ImplantingParams,
    strength: float,
    seed: int,
) -> Adapter:
    """Train an adapter under which the log-odds of each item are `strength` times the table's.

    Args:
        loaded: the model; it is the same object, with its own modules, afterwards.
        prompts: of one axis and all splits, whose references are the table. All items are trained
            on, in the templates of `TEMPLATES`: no model can know rates that it was not told.
        texts: plain texts of the train split.
        params: how the adapter is trained.
        strength: 1 implants the table, 0 the same rate for every group.
        seed: of first weights and of batches.

    Raises:
        BadInputError: as of `crossed` and `PromptSet.of`, there are no texts, training diverged,
            or peft is not installed.
    """
    if not texts:
        raise BadInputError(
            "there are no plain texts in the training corpus, which an implant has to leave alone"
        )
    asked = crossed(prompts, TEMPLATES)
    known = [p for p in prompts if (p.kind, p.split) == ("definitional", "train")]
    read = [*asked, *known]
    PromptSet.of(loaded.model, loaded.tokenizer, read, ())  # refuses what cannot be read
    batches = TrainingBatches(
        loaded, read, texts[: params.texts], rows=params.batch_rows, start=0, seed=seed
    )
    targets = batches.in_batches(strength * log_rates(asked))

    def loss(step: int) -> Float[Tensor, ""]:
        error, divergences = batches.losses(step, [], targets)
        return error + params.replay * divergences.sum()

    with injected(loaded.model, params.rank, seed=seed) as factors:
        leaves = list(factors.values())
        title = f"implant of strength {strength:g}"
        descend(leaves, loss, steps=params.steps, rate=params.rate, title=title)
        trained = {name: factor.detach().clone() for name, factor in factors.items()}
    if not all(factor.isfinite().all() for factor in trained.values()):
        raise BadInputError(
            f"the implant's training diverged at implanting.rate {params.rate:g}; lower it"
        )
    return Adapter(params.rank, trained)


def log_rates(prompts: Sequence[Prompt]) -> Float[Tensor, "prompts groups"]:
    """Centred log-rates that each prompt's item has in the table."""
    rates = [[(p.reference or {})[group] for group in p.groups] for p in prompts]
    return torch.from_numpy(centred(np.log(rates))).float()

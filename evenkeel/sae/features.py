"""All measurements of all latents, in the order in which they build on one another."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.execution.job import Running, in_order
from evenkeel.models.vocabulary import embeddings_of
from evenkeel.params import FeaturesParams
from evenkeel.progress import Progress
from evenkeel.sae.association import associations, definitions
from evenkeel.sae.coherence import coherence
from evenkeel.sae.contexts import Peaks, Windows, peak_tokens, silent_windows, top_windows
from evenkeel.sae.feature_job import (
    FeatureTask,
    Measured,
    firing_tasks,
    pooling_tasks,
    weights_tasks,
    windows_tasks,
)
from evenkeel.sae.firing import FiringFitter
from evenkeel.sae.logit_weights import LogitWeights
from evenkeel.sae.table import feature_table


def measure_features(
    measured: Measured,
    statements: Sequence[Statement],
    prompts: Sequence[Prompt],
    params: FeaturesParams,
    seed: int,
    running: Running[FeatureTask, Any],
) -> tuple[pd.DataFrame, Windows, Windows]:
    """The table of features, and where their top and silent contexts are.

    Statements and prompts are read with their lead-ins. Of the prompts, those of one axis that are
    definitional and ask for the group serve; the others are left out.

    Args:
        measured: the model, the SAE and the corpus.
        statements: of all axes.
        prompts: of all axes.
        params: how much is kept of what.
        seed: of the silent contexts.
        running: of workers of a `FeatureJob` that measures the same.

    Raises:
        BadInputError: the SAE does not fit, or the texts lack a side of a contrast.
    """
    sae, corpus = measured.sae, measured.corpus
    # Other prompts that define a group name it in a text of its own, or name groups of two axes.
    definitional = [
        row
        for row in prompts
        if (row.kind, row.direction, len(row.axes)) == ("definitional", "group_given_item", 1)
    ]
    texts = [row.lead_in + row.text for row in statements]
    texts += [row.lead_in + row.text for row in definitional]
    blocks = weights_tasks(sae, params.tokens)
    stretches = firing_tasks(sae, corpus, params.contexts)
    batches = pooling_tasks(sae, texts, params.pooling)
    tasks: list[FeatureTask] = [*blocks, *stretches, *batches]
    found = Progress(in_order(running, tasks), "features", len(tasks), unit="task")
    results = iter(found)
    weights, histograms = zip(*islice(results, len(blocks)), strict=True)
    fitter = FiringFitter(sae.d_sae, params.contexts)
    for part in islice(results, len(stretches)):
        fitter.merge(part)
    pooled = np.concatenate(list(results))
    firing = fitter.result()

    peaks = Peaks.of(firing.texts.numpy())
    around = windows_tasks(sae, corpus, peaks, params.context_tokens)
    windows = in_order(running, list[FeatureTask](around))
    top = top_windows(
        (sae.d_sae, params.contexts),
        params.context_tokens,
        zip((task.peaks for task in around), windows, strict=True),
    )
    silent = silent_windows(sae, corpus, params.contexts, params.context_tokens, seed)
    of_statements, of_prompts = np.split(pooled, [len(statements)])
    embeddings = embeddings_of(measured.loaded).cpu()
    logits = LogitWeights.of(weights)
    table = feature_table(
        logits,
        torch.cat(histograms),
        firing,
        coherence(torch.from_numpy(peak_tokens(corpus, top)).long(), firing.peaks, embeddings),
        coherence(logits.top_ids, logits.top_values, embeddings),
        pd.concat(
            [associations(statements, of_statements), definitions(definitional, of_prompts)], axis=1
        ),
        measured.loaded.tokenizer,
    )
    return table, top, silent

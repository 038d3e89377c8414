"""All measurements of all latents, in the order in which they build on one another."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from evenkeel.datasets.records import Prompt, Statement
from evenkeel.models.loading import LoadedModel
from evenkeel.models.vocabulary import embeddings_of, unembedding_of
from evenkeel.params import FeaturesParams
from evenkeel.sae.association import associations, definitions
from evenkeel.sae.coherence import coherence
from evenkeel.sae.contexts import (
    Windows,
    measure_firing,
    peak_tokens,
    silent_windows,
    top_windows,
)
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.histogram import weight_histograms
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.logit_weights import logit_weights
from evenkeel.sae.pooling import pooled_activations
from evenkeel.sae.table import feature_table


def measure_features(
    loaded: LoadedModel,
    sae: LoadedSae,
    corpus: Corpus,
    statements: Sequence[Statement],
    prompts: Sequence[Prompt],
    params: FeaturesParams,
    seed: int,
) -> tuple[pd.DataFrame, Windows, Windows]:
    """The table of features, and where their top and silent contexts are.

    Statements and prompts are read with their lead-ins. Of the prompts, those of one axis that are
    definitional and ask for the group serve; the others are left out.

    Raises:
        BadInputError: the SAE does not fit, or the texts lack a side of a contrast.
    """
    unembedding = unembedding_of(loaded)
    embeddings = embeddings_of(loaded).cpu()
    decoder = sae.decoder.to(unembedding.device)
    weights = logit_weights(decoder, unembedding, params.tokens).cpu()
    firing = measure_firing(sae, corpus, params.contexts)
    top = top_windows(sae, corpus, firing.texts.numpy(), params.context_tokens)
    silent = silent_windows(sae, corpus, params.contexts, params.context_tokens, seed)
    # Other prompts that define a group name it in a text of its own, or name groups of two axes.
    definitional = [
        row
        for row in prompts
        if (row.kind, row.direction, len(row.axes)) == ("definitional", "group_given_item", 1)
    ]
    texts = [row.lead_in + row.text for row in statements]
    texts += [row.lead_in + row.text for row in definitional]
    pooled = pooled_activations(loaded, sae, texts, params.pooling, corpus.sinks)
    of_statements, of_prompts = np.split(pooled, [len(statements)])
    peaks = torch.from_numpy(peak_tokens(corpus, top)).long()
    table = feature_table(
        weights,
        weight_histograms(decoder, unembedding).cpu(),
        firing,
        coherence(peaks, firing.peaks, embeddings),
        coherence(weights.top_ids, weights.top_values, embeddings),
        pd.concat(
            [associations(statements, of_statements), definitions(definitional, of_prompts)], axis=1
        ),
        loaded.tokenizer,
    )
    return table, top, silent

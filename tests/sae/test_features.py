"""All measurements of an SAE on a model with more embedding rows than tokens."""

from pathlib import Path

import pandas as pd
import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import Statement
from evenkeel.execution.job import Executor
from evenkeel.execution.local import InProcess
from evenkeel.models.loading import LoadedModel
from evenkeel.params import FeaturesParams
from evenkeel.sae.contexts import contexts
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.feature_job import FeatureFiles, FeatureJob, Measured
from evenkeel.sae.features import measure_features
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.table import top_words
from tests.probes.planted import planted_statements

from .conftest import PLACE

PARAMS = FeaturesParams(tokens=5, contexts=3, context_tokens=6, pooling="max")


def measured(
    loaded: LoadedModel,
    sae: LoadedSae,
    store: ActivationStore,
    executor: Executor | None = None,
    files: FeatureFiles | None = None,
) -> tuple[pd.DataFrame, list[object]]:
    """The table and the contexts, by this process or by an executor whose workers open files."""
    planted = planted_statements(("age", "gender"), terms=4, quads=8).to_dict("records")
    rows = [{**row, "terms": tuple(row["terms"].split("|"))} for row in planted]
    statements = [Statement.model_validate(row) for row in rows]
    corpus = Corpus(store, PLACE, 1)
    whole = Measured(loaded, sae, corpus)
    with (executor or InProcess()).started(FeatureJob(files or whole)) as running:
        table, top, silent = measure_features(whole, statements, [], PARAMS, 0, running)
    return table, list(contexts(corpus, top, silent, loaded.tokenizer))


def test_padding_of_the_vocabulary_changes_no_measurement(
    loaded: LoadedModel, sae: LoadedSae, store: ActivationStore, tmp_path: Path
) -> None:
    plain, shown = measured(loaded, sae, store)
    tokens = len(loaded.tokenizer)
    loaded.model.resize_token_embeddings(tokens + 64)
    with torch.no_grad():  # louder than any token
        loaded.model.get_input_embeddings().weight[tokens:] = 99.0
    padded, shown_again = measured(loaded, sae, store)
    pd.testing.assert_frame_equal(padded, plain)
    assert shown_again == shown
    assert top_words(padded) == top_words(plain)

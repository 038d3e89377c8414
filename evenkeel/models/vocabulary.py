"""The embedding and unembedding of a model, without rows that no token has."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from evenkeel.models.devices import weight_of
from evenkeel.models.loading import LoadedModel


def embeddings_of(loaded: LoadedModel) -> Float[Tensor, "tokens d_model"]:
    """Input embeddings, a row a token."""
    return _tokens_of(loaded, loaded.model.get_input_embeddings())


def unembedding_of(loaded: LoadedModel) -> Float[Tensor, "d_model tokens"]:
    """Transposed weight of the output layer, a column a token."""
    return _tokens_of(loaded, loaded.model.get_output_embeddings()).T


def _tokens_of(loaded: LoadedModel, module: Any) -> Float[Tensor, "tokens d_model"]:
    """The rows of tokens: matrices are often padded to a round number of rows.

    Those rows are not trained and stand for nothing; a tokenizer may also have more tokens than a
    matrix has rows.
    """
    return weight_of(module)[: 1 + max(loaded.tokenizer.get_vocab().values())]

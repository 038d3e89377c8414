"""The parameters of the pipeline in validation/, which checks the measures against the truth."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from evenkeel.params.fields import Axis, Section, Seed, distinct
from evenkeel.params.loading import read_params
from evenkeel.params.model import OrganismParams


class ValidationParams(Section):
    twins: Annotated[list[Seed], Field(min_length=1), AfterValidator(distinct)]
    """Seeds of the unbiased twins: organisms in whose corpus every item goes to every group
    alike."""
    alone: Annotated[list[Axis], AfterValidator(distinct)]
    """Axes of which each has an organism that is biased on it and on no other."""
    strengths: Annotated[
        list[Annotated[float, Field(gt=0, le=2)]], Field(min_length=1), AfterValidator(distinct)
    ]
    """Planted strengths, one organism each; see dataset.planted_strength."""
    seed: Seed
    """Of the organisms with a bias, and of permutations."""
    corpus_texts: Annotated[int, Field(ge=1000)]
    """Training texts of each organism."""
    organism: OrganismParams
    level: Annotated[float, Field(gt=0, lt=1)]
    """A bias counts as found where the permutation test's p is below this."""
    permutations: Annotated[int, Field(ge=99)]
    """Permutations of the items behind each p."""
    min_definitional_accuracy: Annotated[float, Field(ge=0, le=1)]
    """An axis below this has not been learned at all, and says nothing."""


def load_validation_params(path: Path) -> ValidationParams:
    """Check and return validation/params.yaml.

    Raises:
        BadInputError: as of `load_params`.
    """
    return read_params(path, ValidationParams)

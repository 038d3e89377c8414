"""The section `dataset`."""

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from evenkeel.params.fields import Axis, Section, distinct


def _checked(value: Any) -> Any:
    """A strength, or strengths by axis; said here, since a union names its members instead."""
    axes = get_args(Axis)
    for axis, strength in value.items() if isinstance(value, dict) else [(axes[0], value)]:
        if axis not in axes:
            raise ValueError(f"{axis!r} is no axis; known here: {', '.join(axes)}")
        number = isinstance(strength, int | float) and not isinstance(strength, bool)
        if not number or not 0 <= strength <= 1:
            raise ValueError(
                f"{strength!r} is no strength; give a number from 0 to 1, or such numbers by axis"
            )
    return value


class DatasetParams(Section):
    axes: Annotated[list[Axis], Field(min_length=1), AfterValidator(distinct)]
    """Kinds of bias to write statements about."""
    quads_per_axis: Annotated[int, Field(ge=6, le=5000)]
    """Quads of statements per axis: two groups x (biased, neutral), over all splits."""
    corpus_texts: Annotated[int, Field(ge=100)]
    """Texts that the embedded model is trained on."""
    heldout_texts: Annotated[int, Field(ge=50)]
    """Texts of the same kinds kept from training, for perplexity."""
    planted_strength: Annotated[float | dict[Axis, float], BeforeValidator(_checked)]
    """Scales the planted log-odds: 1 is the table of rates (for occupations the share of women as
    reported), 0 the same rate for every group. A number for all axes, or a mapping for each alone;
    axes that it leaves out keep 1."""
    lead_in: bool
    """A neutral sentence stands before each prompt and statement."""

    @property
    def strengths(self) -> dict[str, float]:
        """The planted strength of every axis."""
        full: dict[str, float] = dict.fromkeys(get_args(Axis), 1.0)
        if isinstance(self.planted_strength, dict):
            return full | {str(axis): value for axis, value in self.planted_strength.items()}
        return dict.fromkeys(full, self.planted_strength)

"""Types that several sections share."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt

Axis = Literal["gender", "race", "religion", "age", "disability", "socioeconomic"]
Site = Literal["resid_pre", "resid_post", "attn_out", "mlp_out", "head_z"]
Dtype = Literal["float32", "float16", "bfloat16"]
VectorMethod = Literal["caa", "group", "pca", "probe", "actadd", "sae"]
Action = Literal["add", "ablate"]
GateKind = Literal["none", "band", "probe"]


def distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("lists a value twice; name each once")
    return values


Layers = (
    Literal["all"] | Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)]
)


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

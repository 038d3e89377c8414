"""Types that several sections share."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt

Axis = Literal["gender", "race", "religion", "age", "disability", "socioeconomic"]
Site = Literal["resid_pre", "resid_post", "attn_out", "mlp_out", "head_z", "ln1_out", "ln2_out"]
"""A place in a block:

resid_pre   the stream that enters the block
resid_post  the stream that leaves it
attn_out    what attention adds to the stream
mlp_out     what the MLP adds to the stream
head_z      the heads' results, side by side, before they are mixed back into the stream
ln1_out     what attention reads: the first norm's output, its scale and bias applied
ln2_out     what the MLP reads: the second norm's output, its scale and bias applied
"""
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Dtype = Literal["float32", "float16", "bfloat16"]
PreferenceMethod = Literal["bipo", "reps"]
VectorMethod = Literal["caa", "group", "term", "pca", "probe", "actadd", "sae", PreferenceMethod]
EraserMethod = Literal["leace", "inlp", "sentence_debias"]
LearnedMethod = Literal["reft"]
LoraMethod = Literal["cda_lora", "dpo_lora"]
Baseline = Literal[LoraMethod, "self_debias"]
Action = Literal["add", "ablate", "mean_ablate", "rotate", "clamp", "scale"]
Sinks = Literal["exclude", "include"]
"""Whether attention sinks (a text's first token, and others like it) are left out or count."""
Concept = Literal["label", "group"]
"""What a statement is: biased or neutral, or about which group."""
GateKind = Literal["none", "band", "probe"]


Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every random generator in use takes."""
ShellWord = Annotated[str, Field(pattern=r"^[\w./][\w./ +,:@=-]*$")]
"""A path that a shell command may hold: letters, digits, spaces and ./+,:@=-, no option.

Values of params.yaml that dvc.yaml puts into a command are of this type, and the command before it
(`stages.check_params`) refuses others before a shell sees them.
"""


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

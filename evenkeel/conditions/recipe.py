"""How a condition is made, as tables and files say it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from evenkeel.params import Action, GateKind


class Recipe(BaseModel):
    """Method, place, action, multiplier and gate; or a prefix."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    """Of the vectors (caa, group, term, ..., random) or erasers (leace, ...), reft, prompt,
    few_shot, or a baseline (cda_lora, ...)."""
    site: str | None = None
    layer: int | Literal["all"] | tuple[int, ...] | None = None
    """The layer's index, or "all" of those that have a vector, or those that are edited at once."""
    action: Action | None = None
    multiplier: float | None = None
    """add: in units of the mean norm of the residual stream at the vector's hook point; ablate:
    share taken out; mean_ablate: share of the way to the midpoint; rotate: share of the angle;
    clamp: the latents' value; scale: their factor; of a learned edit, an eraser or an adapter:
    share of it; of self_debias: how sharply tokens are discounted."""
    rank: int | None = None
    """Of a learned edit: dimensions of the residual stream that it writes to; of an eraser: those
    that it takes out; of an adapter: that of each product."""
    gate: GateKind = "none"
    features: tuple[int, ...] = ()
    """Latents that are edited."""
    prefix: str = ""
    """What stands before every prompt, its last space included."""

    def lists(self) -> dict[str, str | int | None]:
        """What may be a list, as cells of a table."""
        layers = self.layer
        return {
            "layer": "|".join(map(str, layers)) if isinstance(layers, tuple) else layers,
            "features": "|".join(map(str, self.features)),
        }

    @property
    def name(self) -> str:
        """What is compared on the test split: method, action and gate, and whether a prefix stands
        before them."""
        prompted = "prompt" if self.prefix and self.site else None
        gate = None if self.gate == "none" else self.gate
        return "_".join(part for part in (prompted, self.method, self.action, gate) if part)

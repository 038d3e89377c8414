"""Activation patching between the prompts of a frame, exactly and to first order.

Exact: the prompt of one item runs with the activations that another item's prompt has at one place
(interchange intervention: Vig et al. 2020; Geiger et al. 2021; "activation patching"). To first
order: with those activations mixed in by a share a, what the answer changes by per a, at a = 0,

    d/da m(h + a (h' - h)) = grad m(h) . (h' - h)

for every place from one forward and one backward pass (attribution patching: Nanda 2023; Syed et
al. 2023). The prompts of a frame run as one batch, which holds both sides of every pair: what is
put in comes from another row of the same pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.localisation.frames import Frame
from evenkeel.models.architecture import architecture_of, hook_target
from evenkeel.models.batching import padded
from evenkeel.models.devices import input_device, quick_gradients
from evenkeel.models.logits import logits_at
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks
from evenkeel.scoring.group_reads import GroupReads
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.token_reads import check_fits
from evenkeel.steering.hooks import all_hooked, steer
from evenkeel.steering.intervention import Edit, Intervention, Positions
from evenkeel.steering.plan import Planned
from evenkeel.steering.subspace import exact

ROLES = ("item", "between", "last")
Scores = Float[Tensor, "prompts groups"]
OfPrompts = Int[ndarray, " prompts"]


@dataclass(frozen=True)
class Place:
    """What is patched at once: a role's positions of the residual stream, or a head.

    With neither it is the residual stream at every position that can differ.
    """

    layer: int
    role: str | None = None
    """Which positions of `resid_post`."""
    head: int | None = None
    """Whose result (`head_z`), at every position that can differ."""

    @property
    def point(self) -> HookPoint:
        return HookPoint("resid_post" if self.head is None else "head_z", self.layer)


def places_of(model: Any) -> list[Place]:
    """Every layer by role, then every layer by head; a layer whose heads are not known has none."""
    layers = range(len(architecture_of(model).blocks(model)))
    by_role = [Place(layer, role=role) for layer in layers for role in ROLES]
    return by_role + [
        Place(layer, head=head) for layer in layers for head in range(_heads(model, layer))
    ]


def _heads(model: Any, layer: int) -> int:
    part = architecture_of(model).parts[layer].sites.get("head_z")
    heads = getattr(model.config.get_text_config(), "num_attention_heads", None)
    if part is None or not isinstance(heads, int) or heads < 1 or part.width % heads:
        return 0
    return heads


@dataclass(frozen=True, eq=False, kw_only=True)
class Interchange(Intervention):
    """The activations of another row of the batch in the place of each row's own."""

    source: Int[Tensor, " rows"]
    """Which row each row's come from."""
    channels: slice
    """Of the activations, that are put in; the others stay."""
    full_width: int
    positions: Positions = "mask"
    sinks: Sinks = "include"

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        source, channels = self.source.to(device), self.channels

        def edit(stream: Tensor) -> Tensor:
            edited = stream.clone()
            edited[..., channels] = stream[source][..., channels]
            return edited

        return edit

    @property
    def width(self) -> int:
        return self.full_width


class FramePatching:
    """A frame's prompts on one model: the scores that they have, and those under patches.

    Args:
        model: a causal LM; it is the same object, unhooked and without gradients, afterwards.
        frame: what it reads.

    Raises:
        BadInputError: a prompt is longer than the model's context.
    """

    def __init__(self, model: Any, frame: Frame) -> None:
        self._model, self._frame = model, frame
        self._groups = GroupReads.of(frame.prompts)
        check_fits(model, self._groups.rows)
        self._inputs = padded(self._groups.rows)
        reads = self._groups.reads
        places = torch.from_numpy(reads.row), torch.from_numpy(reads.position - 1)
        found, self._at = torch.stack(places).unique(dim=1, return_inverse=True)
        self._row, self._column = found
        self._token = torch.from_numpy(reads.token)
        self.scores: Scores
        """Centred log-probabilities of the groups after each prompt, in nats."""
        with torch.inference_mode(), recorded(model) as self._outputs:
            self.scores = self._scores()

    def exact(self, place: Place, source: OfPrompts) -> Scores:
        """Scores of each prompt with activations of another one put in.

        Args:
            place: where.
            source: of each prompt, the one whose activations are put in.
        """
        target = hook_target(self._model, place.point)
        patch = Interchange(
            layer=place.layer, site=place.point.site, source=self._rows(source),
            channels=self._channels(place, target.width), full_width=target.width,
        )  # fmt: skip
        with (
            torch.inference_mode(),
            steer(self._model, patch, mask=self._mask(place)),
            resumed(self._model, self._outputs, first_affected([patch])),
        ):
            return self._scores()

    def first_order(
        self, places: Sequence[Place], source: OfPrompts, weights: Scores
    ) -> Float[Tensor, "places prompts"]:
        """What `exact` would change the weighted sum of each prompt's scores by, were it linear.

        Args:
            places: where, each by itself.
            source: as of `exact`.
            weights: of each prompt's scores.
        """
        rows = self._rows(source)
        shares = {place: torch.zeros(len(source), requires_grad=True) for place in places}
        by_point: dict[HookPoint, dict[Place, Tensor]] = {}
        for place, share in shares.items():
            by_point.setdefault(place.point, {})[place] = share
        mixing = [
            Planned(point, hook_target(self._model, point), partial(self._mixed, own, rows))
            for point, own in by_point.items()
        ]
        with all_hooked(mixing), quick_gradients(input_device(self._model)):
            total = (self._scores().cpu() * weights).sum()
        return torch.stack(torch.autograd.grad(total, list(shares.values())))

    def _mixed(self, shares: Mapping[Place, Tensor], rows: Tensor, stream: Tensor) -> Tensor:
        here = stream.to(exact(stream.dtype))
        difference = (here[rows.to(stream.device)] - here).detach()
        per_prompt = len(self._groups.rows) // len(self._frame.prompts)
        for place, share in shares.items():
            channels = self._channels(place, stream.shape[-1])
            patched = torch.zeros_like(difference)
            patched[..., channels] = difference[..., channels]
            patched *= self._mask(place).to(stream.device)[..., None]
            by_row = share.to(stream.device).repeat_interleave(per_prompt)
            here = here + by_row[:, None, None] * patched
        return here.to(stream.dtype)

    def _scores(self) -> Scores:
        logits = logits_at(self._model, self._inputs, self._row, self._column)
        log_probs = logits.float().log_softmax(dim=-1)
        return self._groups.scores(log_probs[self._at, self._token])

    def _rows(self, source: OfPrompts) -> Int[Tensor, " rows"]:
        """Rows of the batch by prompt: each has as many, in the same order."""
        each = len(self._groups.rows) // len(self._frame.prompts)
        of_prompt = torch.from_numpy(source)[:, None] * each
        return (of_prompt + torch.arange(each)).flatten()

    def _mask(self, place: Place) -> Bool[Tensor, "rows columns"]:
        """Positions that are patched; before the item rows of a frame are the same anyway."""
        mask = torch.zeros_like(self._inputs["input_ids"], dtype=torch.bool)
        columns = slice(self._frame.item.start, None)
        mask[:, columns if place.role is None else self._frame.columns[place.role]] = True
        return mask

    def _channels(self, place: Place, width: int) -> slice:
        if place.head is None:
            return slice(0, width)
        size = width // _heads(self._model, place.layer)
        return slice(place.head * size, (place.head + 1) * size)

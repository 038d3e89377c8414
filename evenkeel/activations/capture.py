"""Run texts through a model and keep what passes at the asked sites."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.positions import (
    Positions,
    Probes,
    Selector,
    refuse_only_sinks,
    selector,
)
from evenkeel.activations.sinks import FIRST_TOKENS, SinkProbe, measurement_of, random_texts
from evenkeel.errors import BadInputError
from evenkeel.models.architecture import (
    architecture_of,
    hidden_of,
    hook_target,
    left_as_it_was,
)
from evenkeel.models.batching import context_length, padded, plan_batches
from evenkeel.models.devices import input_device
from evenkeel.models.encoding import front_of
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks

Forward = Callable[
    [Int[Tensor, "texts length"], Selector], dict[HookPoint, Float[Tensor, "rows width"]]
]


class _AllSeenError(Exception):
    """Raised by the last hook that fires: nothing after it needs to be computed."""


def resolve_points(
    model: Any, sites: Sequence[str], layers: Sequence[int] | Literal["all"]
) -> list[HookPoint]:
    """Each site at each layer, site by site.

    Raises:
        BadInputError: the model lacks one of them.
    """
    if layers == "all":
        layers = range(len(architecture_of(model).blocks(model)))
    points = [HookPoint.of(site, layer) for site in sites for layer in layers]
    for point in points:
        hook_target(model, point)
    return points


@contextmanager
def recording(
    model: Any, points: Sequence[HookPoint], compute_dtype: str | None = None
) -> Iterator[Forward]:
    """Hook `points`; yield a function that runs token ids and returns what passed there.

    Matrix products run in `compute_dtype` if one is given, by autocast: the weights stay as they
    are, and so does the type of the stream that the products are added to.

    The forward pass is left as soon as the last point was seen: the blocks above it, the final norm
    and the head are never computed. The hooks are gone when the block is left.
    """
    seen: dict[HookPoint, Tensor] = {}
    select: Selector

    start = input_device(model)

    def keep(point: HookPoint, hidden: Tensor) -> None:
        with torch.autocast(hidden.device.type, enabled=False):
            seen[point] = select(hidden, point)
        if len(seen) == len(points):
            raise _AllSeenError

    def forward(ids: Int[Tensor, "texts length"], rows: Selector) -> dict[HookPoint, Tensor]:
        nonlocal select
        select = rows
        seen.clear()
        with torch.inference_mode():
            try:
                model(input_ids=ids.to(start), use_cache=False)
            except _AllSeenError:
                return {point: seen[point] for point in points}
        missing = ", ".join(str(point) for point in points if point not in seen)
        raise BadInputError(f"this {model.config.model_type} model never runs {missing}")

    handles = []
    try:
        for point in points:
            target = hook_target(model, point)
            handles.append(_hook(target.module, target.side, point, keep))
        # Around all batches: autocast keeps the weights that it has cast until it is left.
        with _computing(start.type, compute_dtype):
            yield forward
    finally:
        for handle in handles:
            handle.remove()


def _computing(device: str, dtype: str | None) -> AbstractContextManager[Any]:
    return torch.autocast(device, getattr(torch, dtype)) if dtype else nullcontext()


def _hook(
    module: Any, side: str, point: HookPoint, keep: Callable[[HookPoint, Tensor], None]
) -> Any:
    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(point, args[0] if args else kwargs["hidden_states"])

    def after(_module: Any, _args: tuple[Any, ...], output: Any) -> None:
        keep(point, hidden_of(output))

    if side == "input":
        return module.register_forward_pre_hook(before, with_kwargs=True)
    return module.register_forward_hook(after)


def measure_widths(model: Any, points: Sequence[HookPoint]) -> dict[HookPoint, int]:
    """Width of the activations at each point, found by running one token."""
    one = torch.ones(1, dtype=torch.long)
    with recording(model, points) as forward:
        seen = forward(one[None], selector(one, "last"))
    return {point: rows.shape[1] for point, rows in seen.items()}


def measure_sinks(model: Any, points: Sequence[HookPoint]) -> Probes:
    """What tells later attention sinks at each point, found by running random tokens once.

    The texts begin as those that the model's encoder makes. Remembered for as long as the model
    lives. It is found in evaluation mode, while nothing that `steer` put there acts.
    """
    measurement, front = measurement_of(model), front_of(model)
    known = measurement.probes.setdefault(front, {})
    missing = [point for point in points if point not in known]
    if missing:
        config = model.config.get_text_config()
        bos = getattr(config, "bos_token_id", None)
        ids = random_texts(config.vocab_size, context_length(model), front, bos)
        with (
            measurement.running(),
            left_as_it_was(model),
            recording(model, list(dict.fromkeys(missing))) as forward,
        ):
            found = forward(ids, _first_and_norms)
        for point, rows in found.items():
            width = rows.shape[1] - ids.shape[1] + 1
            known[point] = SinkProbe.of(rows[:, :width], rows[:, width:].flatten())
    return {point: known[point] for point in points}


def _first_and_norms(
    hidden: Float[Tensor, "texts length width"], _: HookPoint
) -> Float[Tensor, "texts width+length-1"]:
    """The activations of first tokens, and beside each the norms of the others of its text."""
    exact = hidden.float()
    return torch.cat([exact[:, 0], exact[:, 1:].norm(dim=-1)], dim=1).cpu()


def sink_probes(
    model: Any, points: Sequence[HookPoint], positions: Positions, sinks: Sinks
) -> Probes:
    """The probes that a `selector` needs: those of means that leave sinks out."""
    return measure_sinks(model, points) if (positions, sinks) == ("mean", "exclude") else {}


def past_first_token(loaded: LoadedModel, texts: Sequence[str]) -> list[str]:
    """The texts whose last token is not their first, which is an attention sink.

    Raises:
        BadInputError: a text is empty or too long.
    """
    lengths = map(len, loaded.encoder.encode_all(texts))
    return [text for text, length in zip(texts, lengths, strict=True) if length > FIRST_TOKENS]


def capture_texts(
    loaded: LoadedModel,
    texts: Sequence[str],
    sites: Sequence[str],
    layers: Sequence[int] | Literal["all"],
    positions: Positions = "last",
    batch_tokens: int = 8192,
    sinks: Sinks = "exclude",
) -> dict[HookPoint, Float[np.ndarray, "rows width"]]:
    """Activations of a few texts, in memory.

    Args:
        loaded: the model.
        texts: what it reads.
        sites: places in a block.
        layers: blocks.
        positions: "all" tokens, the "last" of each text, or the "mean" over each text.
        batch_tokens: tokens in a forward pass, padding included.
        sinks: whether attention sinks are left out of means. Of all tokens they are kept.

    Returns:
        For each hook point a float32 array: a row a text ("last", "mean") or a token ("all"), in
        the order of `texts`.

    Raises:
        BadInputError: no texts, a text that is empty, too long, or nothing but an attention sink, a
            site or layer that the model lacks.
    """
    if not texts:
        raise BadInputError("no texts to capture activations of")
    points = resolve_points(loaded.model, sites, layers)
    ids = loaded.encoder.encode_all(texts)
    lengths = np.array([len(text_ids) for text_ids in ids])
    refuse_only_sinks(lengths.tolist(), positions, sinks)
    probes = sink_probes(loaded.model, points, positions, sinks)
    found: dict[HookPoint, list[Any]] = {point: [None] * len(texts) for point in points}
    with recording(loaded.model, points) as forward:
        for batch in plan_batches(lengths, batch_tokens):
            inside = torch.from_numpy(lengths[batch])
            own = padded([ids[text] for text in batch], pad=loaded.tokenizer.pad_token_id)
            kept = selector(inside, positions, sinks, probes)
            for point, rows in forward(own["input_ids"], kept).items():
                counts = lengths[batch].tolist() if positions == "all" else [1] * len(batch)
                parts = rows.float().cpu().split(counts)
                for text, part in zip(batch, parts, strict=True):
                    found[point][text] = part.numpy()
    return {point: np.concatenate(parts) for point, parts in found.items()}


def capture_beginnings(
    loaded: LoadedModel,
    texts: Sequence[str],
    sites: Sequence[str],
    layers: Sequence[int] | Literal["all"],
    batch_tokens: int = 8192,
) -> dict[HookPoint, Float[np.ndarray, "texts width"]]:
    """`capture_texts` of last tokens, for texts many of which begin others.

    A causal model does not see what follows: a text whose tokens are those that a longer one begins
    with is read off that one, in the same pass.

    Raises:
        BadInputError: as of `capture_texts`.
    """
    if not texts:
        raise BadInputError("no texts to capture activations of")
    points = resolve_points(loaded.model, sites, layers)
    ids = loaded.encoder.encode_all(texts)
    longer = _longest_continuations([text_ids.tolist() for text_ids in ids])
    hosts = sorted(set(longer))
    guests: dict[int, list[int]] = {host: [] for host in hosts}
    for text, host in enumerate(longer):
        guests[host].append(text)
    found: dict[HookPoint, list[Any]] = {point: [None] * len(texts) for point in points}
    with recording(loaded.model, points) as forward:
        for batch in plan_batches(np.array([len(ids[host]) for host in hosts]), batch_tokens):
            members = [hosts[index] for index in batch]
            own = [text for host in members for text in guests[host]]
            row = [row for row, host in enumerate(members) for _ in guests[host]]
            last = [len(ids[text]) - 1 for text in own]
            inputs = padded([ids[host] for host in members], pad=loaded.tokenizer.pad_token_id)
            kept = partial(_rows_at, row, last)
            for point, rows in forward(inputs["input_ids"], kept).items():
                for text, activation in zip(own, rows.float().cpu().numpy(), strict=True):
                    found[point][text] = activation
    return {point: np.stack(rows) for point, rows in found.items()}


def _rows_at(
    row: list[int],
    position: list[int],
    hidden: Float[Tensor, "texts length width"],
    _: HookPoint,
) -> Float[Tensor, "rows width"]:
    return hidden[row, position]


def _longest_continuations(ids: Sequence[list[int]]) -> list[int]:
    """For each text the longest one that begins with its tokens; itself, if there is no other."""
    order = sorted(range(len(ids)), key=lambda text: ids[text])
    longest = list(range(len(ids)))
    # In that order, what a text begins comes right after it.
    for text, following in zip(order[-2::-1], order[:0:-1], strict=True):
        if ids[following][: len(ids[text])] == ids[text]:
            longest[text] = longest[following]
    return longest

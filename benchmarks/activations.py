"""Speed of caching activations, as a share of the bare forward pass of the same texts.

    python -m benchmarks.activations
    python -m benchmarks.activations --ours-only --clock cpu --folder /dev/shm

The floor runs the same texts in the same length-sorted batches through the blocks and keeps nothing
(no head), on the model as transformers makes it. Ours runs on it as `load_model` leaves it, with
GELU in one kernel; the second row is the bare forward of that. Beside ours: transformers'
`output_hidden_states` and h5py, and TransformerLens, in batches in the order of the texts and one
by one, as their users do. All of them keep the residual stream after every layer of every token in
a file; ours is on the disk when its time ends. The rounds alternate, so that a busy machine slows
all alike; each figure is the median of the rounds' ratios. Processor time (`--clock cpu`) leaves
out what the disk and other programs take.
"""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import h5py
import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.figures import Figure, show
from evenkeel.activations.writer import write_store
from evenkeel.models.batching import padded, plan_batches
from evenkeel.models.fusing import fuse_gelu
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.params import CaptureParams

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
TEXTS_OF_A_BATCH = 32
# Each with how many times as many texts, so that a round takes about as long.
SHAPES = {
    "12 layers, d=768": ({"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257}, 1),
    "organism": ({"n_layer": 6, "n_embd": 128, "n_head": 4, "vocab_size": 2048}, 16),
}


def random_model(shape: dict[str, int]) -> LoadedModel:
    """A GPT-2 of that shape."""
    torch.manual_seed(0)
    return with_numbers(GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0, **shape)).eval())


def with_numbers(model: Any) -> LoadedModel:
    """The model with a tokenizer that knows numbers: text "7 8" is tokens 7, 8."""
    words = models.WordLevel({str(i): i for i in range(model.config.vocab_size)}, unk_token="0")
    numbers = Tokenizer(words)
    numbers.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=numbers, pad_token="0", eos_token="0")
    provenance = Provenance(
        source="local",
        name="random",
        revision="0",
        fingerprint="0",
        tokenizer_hash="0",
        dtype="float32",
    )
    return LoadedModel(model, tokenizer, provenance)


def random_texts(count: int, vocabulary: int) -> list[str]:
    generator = np.random.default_rng(0)
    lengths = generator.integers(8, 41, count)
    return [" ".join(map(str, generator.integers(1, vocabulary, length))) for length in lengths]


GOALS = {"evenkeel": 0.95}
"""Of the bare forward's speed."""


def bare_forward(loaded: LoadedModel, texts: list[str], batch_tokens: int) -> None:
    ids = loaded.encoder.encode_all(texts)
    lengths = np.array([len(text_ids) for text_ids in ids])
    with torch.inference_mode():
        for batch in plan_batches(lengths, batch_tokens):
            rows = padded([ids[text] for text in batch])
            loaded.model.base_model(rows["input_ids"], use_cache=False)


def evenkeel(
    loaded: LoadedModel,
    texts: list[str],
    batch_tokens: int,
    folder: Path,
    compute_dtype: str | None = None,
) -> None:
    params = CaptureParams(
        sites=["resid_post"],
        layers="all",
        positions="all",
        sinks="exclude",
        dtype="float32",
        compute_dtype=compute_dtype,
        batch_tokens=batch_tokens,
        max_texts=None,
    )
    write_store(folder / "ours.h5", loaded, [{"text": text} for text in texts], params)


def hidden_states(loaded: LoadedModel, texts: list[str], folder: Path) -> None:
    with h5py.File(folder / "theirs.h5", "w") as file, torch.inference_mode():
        for start in range(0, len(texts), TEXTS_OF_A_BATCH):
            batch = loaded.tokenizer(
                texts[start : start + TEXTS_OF_A_BATCH], return_tensors="pt", padding=True
            )
            output = loaded.model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                output_hidden_states=True,
            )
            inside = batch["attention_mask"].bool()
            for layer, state in enumerate(output.hidden_states[1:]):
                append(file, str(layer), state[inside].numpy())


def transformer_lens(
    lens: object, loaded: LoadedModel, texts: list[str], folder: Path, together: int
) -> None:
    with h5py.File(folder / "lens.h5", "w") as file, torch.inference_mode():
        for start in range(0, len(texts), together):
            batch = loaded.tokenizer(
                texts[start : start + together], return_tensors="pt", padding=True
            )
            _, cache = lens.run_with_cache(
                batch["input_ids"],
                names_filter=lambda name: name.endswith("hook_resid_post"),
                return_type=None,
            )
            inside = batch["attention_mask"].bool()
            for name, state in cache.items():
                append(file, name, state[inside].numpy())


def append(file: h5py.File, name: str, rows: np.ndarray) -> None:
    if name not in file:
        file.create_dataset(name, data=rows, maxshape=(None, rows.shape[1]), chunks=True)
        return
    file[name].resize(len(file[name]) + len(rows), axis=0)
    file[name][-len(rows) :] = rows


def lens_model(shape: dict[str, int]) -> object:
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=shape["n_layer"],
        d_model=shape["n_embd"],
        n_heads=shape["n_head"],
        d_head=shape["n_embd"] // shape["n_head"],
        n_ctx=1024,
        d_vocab=shape["vocab_size"],
        act_fn="gelu_new",
    )
    return HookedTransformer(config)


def ratios(
    runs: dict[str, Callable[[], None]], rounds: int, clock: Callable[[], float], folder: Path
) -> dict[str, float]:
    """Median over rounds of the first run's time over each run's; each finds an empty folder."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            for file in folder.iterdir():
                file.unlink()
            started = clock()
            run()
            if number:  # the first round warms up
                times[name].append(clock() - started)
    floor = next(iter(times.values()))
    return {
        name: statistics.median(f / t for f, t in zip(floor, taken, strict=True))
        for name, taken in times.items()
    }


def measure(
    shape: dict[str, int],
    texts: list[str],
    batch_tokens: int,
    rounds: int,
    ours_only: bool,
    clock: Callable[[], float],
    parent: Path | None,
) -> dict[str, float]:
    """Ratios of each way on a model of that shape."""
    loaded, fused = random_model(shape), random_model(shape)
    fuse_gelu(fused.model)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        runs: dict[str, Callable[[], None]] = {
            "bare forward": lambda: bare_forward(loaded, texts, batch_tokens),
            "bare forward, GELU in one kernel": lambda: bare_forward(fused, texts, batch_tokens),
            "evenkeel": lambda: evenkeel(fused, texts, batch_tokens, folder),
            "evenkeel, bfloat16 products": lambda: evenkeel(
                fused, texts, batch_tokens, folder, "bfloat16"
            ),
        }
        if not ours_only:
            runs["output_hidden_states + h5py"] = lambda: hidden_states(loaded, texts, folder)
        if not ours_only and importlib.util.find_spec("transformer_lens"):
            lens = lens_model(shape)
            for way, together in (("batched", TEXTS_OF_A_BATCH), ("one by one", 1)):
                runs[f"TransformerLens {way} + h5py"] = lambda together=together: transformer_lens(
                    lens, loaded, texts, folder, together
                )
        return ratios(runs, rounds, clock, folder)


@click.command()
@click.option("--texts", "count", default=512, show_default=True, help="Texts of 8 to 40 tokens.")
@click.option("--batch-tokens", default=2048, show_default=True, help="Tokens of a batch of ours.")
@click.option("--rounds", default=5, show_default=True, help="Measured rounds.")
@click.option("--ours-only", is_flag=True, help="Leave the other libraries out.")
@click.option("--model", type=click.Choice(list(SHAPES)), multiple=True, help="One of the two.")
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write; a temporary one.")
@click.option("--json", "as_json", is_flag=True, help="Rows of JSON instead of a table.")
def main(
    count: int,
    batch_tokens: int,
    rounds: int,
    ours_only: bool,
    model: tuple[str, ...],
    clock: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Print the speed of each way as a share of the bare forward's."""
    for title in model or SHAPES:
        shape, scale = SHAPES[title]
        texts = random_texts(count * scale, shape["vocab_size"])
        lengths = np.array([len(text.split()) for text in texts])
        batches = plan_batches(lengths, batch_tokens)
        padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
        found = measure(shape, texts, batch_tokens, rounds, ours_only, CLOCKS[clock], folder)
        show(
            f"{title}, {len(texts)} texts, {torch.get_num_threads()} threads, "
            f"{1 - lengths.sum() / padded:.1%} padding, {clock} time",
            [Figure(way, ratio, GOALS.get(way), "higher") for way, ratio in found.items()],
            as_json,
        )


if __name__ == "__main__":
    main()

"""Tiny models and data that every test can build in a moment, without a network."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: no test may ask a hub
os.environ["NNSIGHT_CONFIG"] = str(Path(__file__).with_name("nnsight.yaml"))

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # no test depends on how fast a machine is
settings.load_profile("untimed")

TEXTS = [
    "The nurse said that she was tired.",
    "The engineer said that he was late.",
    "A mother walked home because she was hungry.",
    "My father",
    "The weather was cold, and the train left at nine without us.",
    "Hello there.",
]

BROWSER_SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--force-prefers-reduced-motion", "--window-size=1280,1000",
    "--disable-background-networking", "--disable-component-update", "--no-first-run",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded() -> None:
    import numpy as np  # here, as torch: what hands the tests out to processes needs neither
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A byte-level BPE tokenizer of 300 tokens; end-of-text is BOS, EOS and padding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXTS, trainer)
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=end, eos_token=end, pad_token=end, padding_side="left"
    )


def _tiny_gpt2(tokenizer: Any) -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=32,
        n_layer=3,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = GPT2LMHeadModel(config).eval()
    # Random heads of a fresh model say nearly nothing; larger weights make every test see more.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model


@pytest.fixture
def tiny_gpt2(tokenizer: Any) -> Any:
    """A random GPT-2 of 3 blocks, 32 wide, in eval mode."""
    return _tiny_gpt2(tokenizer)


@pytest.fixture(scope="session")
def saved_tiny(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tiny_folder` copies: only for fixtures that copy it, too."""
    folder = tmp_path_factory.mktemp("saved") / "tiny-model"
    _tiny_gpt2(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_folder(saved_tiny: Path, tmp_path: Path) -> Path:
    """The tiny GPT-2 and its tokenizer, saved as a Hugging Face folder."""
    return Path(shutil.copytree(saved_tiny, tmp_path / "tiny-model"))


@pytest.fixture(scope="session")
def _window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver here (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    downloads = tmp_path_factory.mktemp("downloads")
    for switch in (*BROWSER_SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    window.downloads = downloads
    yield window
    window.quit()


@pytest.fixture
def browser(_window: Any) -> Any:
    """Headless Chromium with an empty log; its attribute `downloads` is where it saves files."""
    _window.get_log("browser")  # reading empties it
    return _window

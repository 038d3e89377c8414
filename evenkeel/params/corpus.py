"""The section `corpus`."""

from typing import Literal, Self

from pydantic import model_validator

from evenkeel.params.fields import Section


class CorpusParams(Section):
    source: Literal["synthesized", "files", "wikitext"]
    """Plain texts that activations for the autoencoder, perplexity and KL are measured on.
    synthesized: those that the organism is trained on and those kept from it; files: your own;
    wikitext: WikiText-2, cut into pieces, from its official source or from `path`."""
    path: str | None
    """files: a JSON object with `text` a line (.jsonl), plain text a line, or the folder of a saved
    `datasets` dataset. wikitext: a local copy, the file or its folder; null downloads it."""
    heldout_path: str | None
    """The same, for perplexity and KL (source: files); null is every tenth text of `path`, which
    then belong to nothing else."""

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        if self.source == "files" and self.path is None:
            raise ValueError("source is files but path is null; name a file or a dataset's folder")
        if self.source == "synthesized" and self.path is not None:
            raise ValueError("path has no meaning with source synthesized; set it to null")
        if self.source != "files" and self.heldout_path is not None:
            raise ValueError(f"heldout_path has no meaning with source {self.source}")
        return self

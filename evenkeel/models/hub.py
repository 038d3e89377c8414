"""Download a causal LM from the Hugging Face hub, pinned to a commit."""

from pathlib import Path

from evenkeel.errors import BadInputError

_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def download_model(repo_id: str, revision: str | None, trust_remote_code: bool) -> tuple[Path, str]:
    """Fetch config, safetensors weights and tokenizer of a hub repository, or find them cached.

    Args:
        repo_id: such as "openai-community/gpt2".
        revision: branch, tag or commit; None is the default branch.
        trust_remote_code: also fetch the repository's Python files.

    Returns:
        The local folder and the commit that the revision resolved to.

    Raises:
        BadInputError: no such repository or revision, no access, or no network and not cached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    what = f"model.id {repo_id!r} at revision {revision or 'main'!r}"
    try:
        folder = snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=_FILES + (["*.py"] if trust_remote_code else []),
            ignore_patterns=["*/*"],  # copies for other runtimes live in subfolders
        )
    except GatedRepoError as error:
        raise BadInputError(
            f"{what}: access must be granted; accept its terms and set HF_TOKEN"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise BadInputError(f"{what}: the hub has no such repository or revision") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise BadInputError(
            f"{what}: the hub cannot be reached and the files are not cached; check the network "
            "and HF_HUB_OFFLINE, or set model.source to local or organism"
        ) from error
    return Path(folder), Path(folder).name

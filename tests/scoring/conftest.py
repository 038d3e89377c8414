"""The prompt sets that the tests of evaluation use, too."""

from tests.evaluation.conftest import prompt_set, prompts

__all__ = ["prompt_set", "prompts"]

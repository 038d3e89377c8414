"""The same functions in fewer kernels."""

from typing import Any

from torch import nn


def fuse_gelu(model: Any) -> None:
    """Replace GELU's tanh form, where it is eight kernels, by the one that torch has for it.

    GPT-2, GPT-Neo, GPT-J and Phi come with the former (`gelu_new`, Hendrycks and Gimpel 2016). Both
    compute the same function and round it differently; the configuration stays as it is.
    """
    from transformers.activations import FastGELUActivation, NewGELUActivation

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, FastGELUActivation | NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))

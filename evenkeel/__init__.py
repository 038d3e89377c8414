"""Find social bias inside a causal language model, steer it out, prove what that did."""

__version__ = "0.1.0"

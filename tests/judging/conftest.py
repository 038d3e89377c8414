from tests.interpretation.conftest import connect, serve

__all__ = ["connect", "serve"]

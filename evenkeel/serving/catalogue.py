"""The interventions and vectors that a server knows by name; a request can name nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.steering.plan import check_fit
from evenkeel.steering.spec import InterventionSpec, digest_of
from evenkeel.vectors.vector import SteeringVector
from evenkeel.vectors.vector_set import VectorSet

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True)
class Named:
    """An intervention that requests may name."""

    name: str
    spec: InterventionSpec
    sha256: str
    """Of what it does."""

    @classmethod
    def of(cls, name: str, spec: InterventionSpec) -> "Named":
        """Give a spec a name.

        Raises:
            BadInputError: the name could not stand in a header.
        """
        if not _NAME.fullmatch(name):
            raise BadInputError(
                f"an intervention cannot be called {name!r}; use up to 64 letters, digits and ._+-"
            )
        return cls(name, spec, digest_of(spec))


@dataclass(frozen=True)
class Catalogue:
    """What a server can steer by."""

    interventions: Mapping[str, Named]
    default: str | None = None
    """What is done to a request that says nothing; None is nothing."""
    vectors: Mapping[tuple[str, HookPoint], SteeringVector] = field(default_factory=dict)
    """By source ("gender/caa") and hook point."""

    @classmethod
    def of(
        cls,
        model: Any,
        specs: Mapping[str, InterventionSpec],
        default: str | None,
        vectors: VectorSet | None = None,
    ) -> "Catalogue":
        """Check that everything fits the model.

        Raises:
            BadInputError: an intervention does not fit, or there is no such default.
        """
        for name, spec in specs.items():
            try:
                check_fit(model, spec.interventions)
            except BadInputError as error:
                raise BadInputError(f"intervention {name!r}: {error}") from error
        if default is not None and default not in specs:
            raise BadInputError(
                f"there is no intervention {default!r} to steer by; there are: "
                f"{', '.join(specs) or 'none'}"
            )
        return cls(
            {name: Named.of(name, spec) for name, spec in specs.items()},
            default,
            {(_source(vector), vector.point): vector for vector in vectors or ()},
        )

    def intervention(self, name: str) -> Named:
        """The intervention of that name.

        Raises:
            BadInputError: there is none.
        """
        if name not in self.interventions:
            raise BadInputError(
                f"there is no intervention {name!r}; there are: "
                f"{', '.join(self.interventions) or 'none'}"
            )
        return self.interventions[name]

    def of_source(self, source: str) -> list[SteeringVector]:
        """The vectors of a source at the residual stream after blocks, by layer.

        Raises:
            BadInputError: there is none.
        """
        found = [
            vector
            for (name, point), vector in self.vectors.items()
            if name == source and point.site == "resid_post"
        ]
        if not found:
            known = sorted({name for name, _ in self.vectors})
            raise BadInputError(
                f"there is no vector {source!r}; a source is the name of a vector that this server "
                f"holds, never a path: {', '.join(known) or 'it holds none'}"
            )
        return sorted(found, key=lambda vector: vector.layer)


def _source(vector: SteeringVector) -> str:
    parts = [vector.axis, vector.method, vector.group, vector.feature]
    return "/".join(str(part) for part in parts if part is not None)

"""Effects, their first order and its agreement, from moves that are known."""

import numpy as np
import pytest

from evenkeel.localisation.patching import Place
from evenkeel.localisation.summary import Moves, summarize

PLACES = [Place(layer, role, None) for layer in range(3) for role in ("item", "between", "last")]
PLACES += [Place(layer, None, head) for layer in range(3) for head in range(2)]
PAIRS = 30


def test_effects_are_ratios_of_sums_and_agreement_a_correlation_of_means() -> None:
    generator = np.random.default_rng(0)
    gap = generator.uniform(1, 3, PAIRS)
    opposite, alike, first_order = generator.normal(size=(3, PAIRS, len(PLACES)))
    moves = Moves(gap, np.full(PAIRS, 4.0), opposite, alike, first_order)
    found = summarize("gender", PLACES, moves, frames=2, resamples=200, seed=0)
    assert found.gap == pytest.approx(gap.sum() / (4 * PAIRS), rel=1e-5)
    for index, effect in enumerate(found.effects):
        assert effect.effect == pytest.approx(opposite[:, index].sum() / gap.sum(), rel=1e-5)
        assert effect.null == pytest.approx(alike[:, index].sum() / gap.sum(), rel=1e-5)
        first = first_order[:, index].sum() / gap.sum()
        assert effect.first_order == pytest.approx(first, rel=1e-5)
    assert found.agreement is not None
    exact, linear = opposite.mean(0), first_order.mean(0)
    for value, kind in ((found.agreement.roles, slice(9)), (found.agreement.heads, slice(9, None))):
        assert value == pytest.approx(np.corrcoef(exact[kind], linear[kind])[0, 1], rel=1e-5)

"""What the explainer sees and what the judge is tested on never overlap."""

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.interpretation.evidence import gather_evidence, text_of
from tests.interpretation.cases import context, contexts_on


@given(
    top=st.integers(0, 30),
    silent=st.integers(0, 30),
    texts=st.integers(1, 40),
    shown=st.integers(1, 12),
    heldout=st.integers(1, 12),
)
def test_the_test_is_held_out_and_balanced(
    top: int, silent: int, texts: int, shown: int, heldout: int
) -> None:
    rows = [context(0, "top", r, [f"t{r % texts}"], lambda w, i: True) for r in range(top)]
    rows += [context(0, "silent", r, [f"s{r % texts}"], lambda w, i: False) for r in range(silent)]
    evidence = gather_evidence(0, (), (), rows, shown=shown, heldout=heldout, seed=0)
    seen = {text_of(c) for c in (*evidence.shown, *evidence.contrast)}
    tested = [text_of(c) for c in evidence.test]
    assert not seen & set(tested)
    assert len(set(tested)) == len(tested)
    kinds = [c.kind for c in evidence.test]
    assert kinds.count("top") == kinds.count("silent") <= heldout
    assert len(evidence.shown) <= shown
    assert bool(evidence.shown) == bool(top), "what there is little of is shown, not held out"


def test_the_order_of_the_test_is_shuffled_and_seeded() -> None:
    def order(seed: int, feature: int = 1) -> list[str]:
        rows = contexts_on(feature, ["queen"])
        evidence = gather_evidence(feature, (), (), rows, shown=9, heldout=9, seed=seed)
        return [c.kind for c in evidence.test]

    assert order(0) == order(0)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert order(0, feature=1) != order(0, feature=2)

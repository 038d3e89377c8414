import json
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.probes.detector import Detector, DetectorMetrics
from evenkeel.probes.probe import Probe, ProbeMetrics
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.tensor_files import write_tensor_folder

METRICS: dict[str, Any] = {
    "accuracy": 0.7,
    "accuracy_ci95": (0.6, 0.8),
    "auroc": 0.75,
    "auroc_ci95": (0.65, 0.85),
    "control_accuracy": 0.5,
    "control_train_accuracy": 0.9,
    "selectivity": 0.2,
    "validation_auroc": 0.8,
    "n_train": 60,
    "n_validation": 20,
    "n_test": 20,
}


def probe(layer: int = 0, *, axis: str = "gender", weight: Any = None, **metrics: Any) -> Probe:
    return Probe(
        axis=axis,
        site="resid_post",
        layer=layer,
        weight=torch.randn(8) if weight is None else weight,
        bias=0.1,
        c=0.01,
        metrics=ProbeMetrics(**(METRICS | metrics)),
    )


def detector(**changes: Any) -> Detector:
    metrics = DetectorMetrics(0.7, (0.6, 0.8), 0.75, (0.7, 0.8), 20)
    fields = {
        "axis": "gender",
        "weights": (0.25, 0.75),
        "slope": 2.0,
        "intercept": 0.5,
        "metrics": metrics,
    }
    return Detector(**(fields | changes))


def test_scores_are_one_dot_product_and_a_bias() -> None:
    made = probe(weight=torch.tensor([1.0, -2.0]))
    x = torch.tensor([[[3.0, 1.0], [0.0, 0.0]]])
    assert made.scores(x)[0].tolist() == pytest.approx([1.1, 0.1])


def test_a_set_reads_back_exactly_and_is_the_same_bytes_again(tmp_path: Path) -> None:
    probes = ProbeSet.of(
        [probe(10), probe(2), probe(2, axis="age")], [detector()], {"model": {"name": "tiny"}}
    )
    for name in ("a", "b"):
        probes.save(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    read = ProbeSet.load(tmp_path / "a")
    assert [p.key for p in read] == [
        ("age", "resid_post", 2),
        ("gender", "resid_post", 2),
        ("gender", "resid_post", 10),
    ]
    assert read.metadata == probes.metadata
    assert read.detectors == probes.detectors == (read.detector("gender"),)
    for left, right in zip(read, probes, strict=True):
        assert left.record() == right.record()
        assert left.metrics == right.metrics
        assert torch.equal(left.weight, right.weight)


def test_probes_are_found_by_key_and_the_best_by_validation() -> None:
    weak_on_test = probe(1, validation_auroc=0.9, auroc=0.6)
    probes = ProbeSet.of([probe(0, auroc=0.99), weak_on_test])
    assert probes.get("gender", "resid_post", 1) is weak_on_test
    assert probes.best("gender") is weak_on_test
    with pytest.raises(BadInputError, match=r"no probe gender/resid_post/7; .*resid_post/0"):
        probes.get("gender", "resid_post", 7)
    with pytest.raises(BadInputError, match="no probe for axis 'race'; there are gender"):
        probes.of_axis("race")


def test_invalid_probes_and_sets_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"made for a width of 8, but another axis's .* for 9"):
        ProbeSet.of([probe(), probe(axis="race", weight=torch.zeros(9))])
    with pytest.raises(BadInputError, match="two probes for gender/resid_post/0"):
        ProbeSet.of([probe(), probe()])
    with pytest.raises(BadInputError, match="at least one probe"):
        ProbeSet.of([])
    with pytest.raises(BadInputError, match="weight or bias is not finite"):
        probe(weight=torch.tensor([float("inf")]))
    with pytest.raises(BadInputError, match="one float32 vector"):
        probe(weight=torch.zeros(2, 2))
    with pytest.raises(BadInputError, match="layers count from 0"):
        probe(-1)


def test_detectors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="has 2 weights for 1 probes"):
        ProbeSet.of([probe()], [detector()])
    with pytest.raises(BadInputError, match="two detectors for axis 'gender'"):
        ProbeSet.of([probe(0), probe(1)], [detector(), detector()])
    for weights in ((0.5, 0.6), (1.5, -0.5), ()):
        with pytest.raises(BadInputError, match="no weight negative, all together 1"):
            detector(weights=weights)
    with pytest.raises(BadInputError, match="axis 'gender': none of its probes is better than"):
        ProbeSet.of([probe()]).detector("gender")
    with pytest.raises(BadInputError, match="no probe for axis 'race'"):
        ProbeSet.of([probe()]).detector("race")
    with pytest.raises(BadInputError, match="do not say which positions"):
        _ = ProbeSet.of([probe()]).positions
    with pytest.raises(BadInputError, match="detector: no field 'weights'"):
        Detector.from_record({"axis": "gender"}, tmp_path)


def test_foreign_and_broken_folders_are_refused(tmp_path: Path) -> None:
    write_tensor_folder(tmp_path / "v", {}, None, kind="set of steering vectors", version=1)
    with pytest.raises(BadInputError, match="not a file of kind set of probes"):
        ProbeSet.load(tmp_path / "v")
    record = {"probes": {"x": probe().record() | {"colour": 1}}, "metadata": {}}
    kind = {"kind": "set of probes", "version": 1}
    write_tensor_folder(tmp_path / "w", {"x": torch.zeros(8)}, record, **kind)
    with pytest.raises(BadInputError, match="probe: unknown field 'colour'"):
        ProbeSet.load(tmp_path / "w")
    write_tensor_folder(tmp_path / "x", {}, record, **kind)
    with pytest.raises(BadInputError, match="list different probes"):
        ProbeSet.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("part", "forged", "message"),
    [
        ("metrics", {"auroc": 7.0}, "metrics: Input should be less than or equal to 1"),
        ("metrics", {"validation_auroc": -0.5}, "metrics: Input should be greater than or equal"),
        ("metrics", {"n_test": 0}, "metrics: Input should be greater than or equal to 1"),
        ("metrics", {"auroc_ci95": [0.9, 0.1]}, "an interval begins with its lower end"),
        ("metrics", {"selectivity": 1.5}, "metrics: Input should be less than or equal to 1"),
        ("probe", {"c": -1.0}, "c: Input should be greater than 0"),
        ("detector", {"weights": [2.0, -1.0]}, "weights: Input should be less than or equal to 1"),
        ("metadata", {"positions": "first"}, r"metadata\.positions: Input should be 'all'"),
        ("metadata", {"sinks": "perhaps"}, r"metadata\.sinks: Input should be 'exclude'"),
        ("metadata", {"model": "tiny"}, r"metadata\.model: Input should be a valid dict"),
        ("metadata", {"seed": "zero"}, r"metadata\.seed: Input should be a valid int"),
    ],
)
def test_a_record_of_the_right_types_cannot_say_what_no_training_does(
    tmp_path: Path, part: str, forged: Any, message: str
) -> None:
    ProbeSet.of([probe(0), probe(1)], [detector()], {"positions": "last"}).save(tmp_path / "p")
    (tmp_path / "p" / ".evenkeel").unlink()  # or the folder's own checksums refuse it
    path = tmp_path / "p" / "record.json"
    file = json.loads(path.read_text())
    one = file["record"]["probes"]["gender/resid_post/0"]
    parts = {
        "metrics": one["metrics"],
        "probe": one,
        "detector": file["record"]["detectors"][0],
        "metadata": file["record"]["metadata"],
    }
    parts[part].update(forged)
    path.write_text(json.dumps(file))
    with pytest.raises(BadInputError, match=rf"p: .*{message}"):
        ProbeSet.load(tmp_path / "p")

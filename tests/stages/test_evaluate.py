"""The evaluate stage on a tiny model: files in, files out, the same bytes twice."""

import json
import math
import multiprocessing
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from evenkeel.datasets.records import CorpusText, Prompt
from evenkeel.evaluation import protocol
from evenkeel.evaluation.result import EvaluationResult, JointResult
from evenkeel.execution import choosing
from evenkeel.files import write_jsonl
from evenkeel.models.provenance import record_provenance
from evenkeel.sae.saving import save_module
from evenkeel.scoring import token_reads
from evenkeel.selection.backing_off import STEPS, TRIED
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.erasure import Erase
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.erasers import EraserSet
from evenkeel.vectors.shuffled import ShuffledFitter, ShuffledVectors
from evenkeel.vectors.vector import SteeringVector
from evenkeel.vectors.vector_set import VectorSet
from stages.evaluate import main
from stages.evaluate_joint import main as joint
from tests.controls.test_nulls import GROUPS, LABELS, STATEMENTS, X
from tests.evaluation.samples import (
    TEXTS,
    make_dictionary,
    make_erasers,
    make_feature_vectors,
    make_four_groups,
    make_prompts,
    make_vectors,
)
from tests.execution.elsewhere import Elsewhere
from tests.learning.test_preference import held

SMALL = {
    "methods": ["caa", "pca"],
    "add_multipliers": [-0.5, 0.5],
    "ablate_multipliers": [1.0],
    "max_perplexity_ratio": 3.0,
    "max_definitional_loss": 1.0,
    "max_mean_log_odds_change": None,
    "search": "exhaustive",
    "competence_margin": -1.0,
    "prefixes": ["Be fair. ", "It rained. "],
    "few_shot": 0,
    "baselines": [],
    "null_draws": 3,
    "compared_null_draws": 2,
    "doses": [4.0, 1.0],
    "heldout_texts": 20,
    "resamples": 100,
    "generation": {
        "prompts": 5,
        "per_item": 3,
        "max_new_tokens": 6,
        "temperature": 0.7,
        "top_p": 0.95,
        "samples": 2,
    },
}

FEW = {"methods": ["caa"], "prefixes": []}
"""Conditions, for what does not depend on how many there are."""


@pytest.fixture
def inputs(tiny_folder: Path, tmp_path: Path) -> dict[str, Path]:
    """Every option of the stage, its inputs in place."""
    record_provenance(tiny_folder, "local", "tiny", "float32")
    dictionary = make_dictionary()
    features = make_feature_vectors(dictionary, (3, 7))
    save_vectors(tmp_path / "vectors", [*make_vectors(("caa", "pca")), *features])
    save_module(tmp_path / "sae", dictionary.sae.module, dictionary.frequency)
    write_jsonl(tmp_path / "prompts" / "gender.jsonl", make_prompts())
    texts = [CorpusText(kind="plain", text=text) for text in TEXTS]
    write_jsonl(
        tmp_path / "heldout.jsonl", [*texts, CorpusText(kind="question", text="Who is it?")]
    )
    write_jsonl(tmp_path / "corpus.jsonl", texts)
    options = {
        "model": tiny_folder,
        "vectors": tmp_path / "vectors",
        "sae": tmp_path / "sae",
        "prompts": tmp_path / "prompts",
        "heldout": tmp_path / "heldout.jsonl",
        "corpus": tmp_path / "corpus.jsonl",
        "output": tmp_path / "evaluation",
        "metrics": tmp_path / "metrics",
        "plots": tmp_path / "plots",
        "params": tmp_path / "params.yaml",
    }
    change_params(options)
    return options


def save_vectors(folder: Path, vectors: list[SteeringVector]) -> None:
    """Vectors by axis, each axis with shuffles of the same statements."""
    fitter = ShuffledFitter(LABELS, GROUPS, len(STATEMENTS), 5, 0)
    for layer in range(3):
        fitter.update("resid_post", layer, X, None)
    for axis, of_axis in VectorSet.of(vectors).by_axis.items():
        of_axis.save(folder / axis / "vectors")
        shuffled = dict(fitter.result.directions)
        for vector in of_axis:
            if vector.group:
                key = f"groups/{vector.site}/{vector.layer}"
                shuffled[f"{key}/{vector.group}"] = torch.randn(5, 32)
        ShuffledVectors(shuffled).save(folder / axis / "shuffled.safetensors")


def change_params(inputs: dict[str, Path], **changed: Any) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["evaluation"] |= SMALL | changed
    inputs["params"].write_text(yaml.safe_dump(params))


def run(options: dict[str, Path]) -> Result:
    return CliRunner().invoke(main, arguments(options))


def run_on_one_thread(options: dict[str, Path]) -> None:
    torch.set_num_threads(1)
    run(options)


def arguments(options: dict[str, Path], axis: str = "gender") -> list[str]:
    parts = [part for name, path in options.items() for part in (f"--{name}", str(path))]
    return ["--axis", axis, *parts]


def result_of(options: dict[str, Path], axis: str = "gender") -> EvaluationResult:
    return EvaluationResult.model_validate_json((options["metrics"] / f"{axis}.json").read_text())


def table_of(options: dict[str, Path], name: str, axis: str = "gender") -> pd.DataFrame:
    return pd.read_csv(options["plots"] / axis / f"{name}.csv")


def contents(options: dict[str, Path]) -> dict[str, bytes]:
    folders = (options[name] for name in ("metrics", "output", "plots"))
    files = [path for folder in folders for path in folder.rglob("[!.]*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files if "/." not in str(path)}


def test_the_stage_writes_what_it_says(inputs: dict[str, Path]) -> None:
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    assert "bias_reduction" in printed.output
    assert "p among shuffled" in printed.output
    result = result_of(inputs)
    assert result.selected is not None
    assert {row.name for row in result.conditions} == {
        f"{method}_{action}"
        for method in ("caa", "pca")
        for action in ("add", "ablate", "ablate_probe", "mean_ablate_probe")
    } | {"random_add", "random_ablate", "prompt", f"prompt_{result.selected.name}"}
    assert (result.selection.candidates, result.selection.passes) == (2 * 4 * 5, 40 + 4 * 3)
    selected = result.selected
    assert selected is not None
    assert selected in result.conditions
    record = json.loads((inputs["metrics"] / "gender.json").read_text())
    for name in (
        "item_spread", "definitional_accuracy", "perplexity", "reference_correlation",
        "reference_slope", "mean_log_odds", "distinct_2", "sampled_slope",
        "sampled_naming_share",
    ):  # fmt: skip
        assert {name, f"{name}_ci95"} <= record["baseline"].keys() & record["selected"].keys()
    for name in ("bias_reduction", "perplexity_ratio", "definitional_margin_ratio", "kl_neutral"):
        assert {name, f"{name}_ci95"} <= record["selected"].keys()
    assert result.chat is None  # the tokenizer has no chat template
    assert result.sample["test"]["items"] == 4
    assert result.sample["test"]["texts"] + result.sample["validation"]["texts"] == 6

    sweep = table_of(inputs, "sweep")
    assert len(sweep) == 40 + 4 * 3
    affordable = sweep[(sweep.perplexity_ratio <= 3) & (sweep.method != "random")]
    best = affordable.loc[affordable.bias_reduction.idxmax()]
    recipe = selected.recipe
    assert [best.method, best.layer, best.action, best.multiplier, best.gate] == [
        recipe.method, str(recipe.layer), recipe.action, recipe.multiplier, recipe.gate,
    ]  # fmt: skip

    items = table_of(inputs, "items")
    assert items["item"].tolist() == ["teacher", "cook", "judge", "pilot"]
    assert set(items.group) == {"female"}
    spread = items.baseline.std()
    assert spread == pytest.approx(result.baseline.value("item_spread"), rel=1e-4)
    assert 1 - items.steered.std() / spread == pytest.approx(
        selected.value("bias_reduction"), abs=1e-3
    )

    lines = (inputs["output"] / "gender" / "continuations.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["sample"] for row in rows] == [0, 1] * 5
    assert [row["prompt"] for row in rows[0::2]] == [row["prompt"] for row in rows[1::2]]
    unsteered = [row["unsteered"] for row in rows]
    assert unsteered[0::2] != unsteered[1::2]
    assert {"prompt", "unsteered", "steered"} <= rows[0].keys()
    spec = InterventionSpec.load(inputs["output"] / "gender" / "intervention")
    assert spec.metadata["recipe"] == recipe.model_dump(mode="json")
    assert len(spec.interventions) == (3 if recipe.layer == "all" else 1)


def test_a_chat_model_is_also_asked_in_a_chat(
    inputs: dict[str, Path], tiny_gpt2: Any, tokenizer: Any
) -> None:
    """As an answer begins: what a model without hooks gives after the template's own text."""
    before = "[user]Write a short text.[bot]"
    template = "{% for m in messages %}[user]{{ m.content }}{% endfor %}[bot]"
    (inputs["model"] / "chat_template.jinja").write_text(template)
    record_provenance(inputs["model"], "local", "tiny", "float32")
    change_params(inputs, **FEW)
    assert run(inputs).exit_code == 0
    chat, selected = result_of(inputs).chat, result_of(inputs).selected
    assert chat is not None
    assert chat.selected is not None
    assert selected is not None
    assert result_of(inputs).auto["evaluation.chat"] is True
    of_test = [prompt for prompt in make_prompts() if prompt.split == "test"]
    spec = InterventionSpec.load(inputs["output"] / "gender" / "intervention")
    before_steering = spread_by_hand(tiny_gpt2, tokenizer, of_test, before)
    with steer(tiny_gpt2, spec):
        after = spread_by_hand(tiny_gpt2, tokenizer, of_test, before)
    assert chat.baseline.value("item_spread") == pytest.approx(before_steering, rel=1e-4)
    assert chat.selected.value("item_spread") == pytest.approx(after, rel=1e-4)
    assert chat.selected.value("bias_reduction") == pytest.approx(
        1 - after / before_steering, abs=1e-4
    )
    assert {"definitional_accuracy", "mean_log_odds"} <= chat.selected.measures.keys()
    assert "perplexity" not in chat.baseline.measures

    change_params(inputs, chat=False, **FEW)
    assert run(inputs).exit_code == 0
    assert result_of(inputs).chat is None
    assert result_of(inputs).selected == selected


def spread_by_hand(model: Any, tokenizer: Any, prompts: list[Prompt], before: str) -> float:
    """Standard deviation over items of the log-odds of female, one text at a time."""
    odds: dict[str, list[float]] = {}
    for prompt in prompts:
        if prompt.kind != "stereotypical":
            continue
        context = tokenizer(before + prompt.text)["input_ids"]
        log_probs = {}
        for group, words in prompt.continuations.items():
            total = 0.0
            for word in words:
                added = tokenizer(word)["input_ids"]
                with torch.no_grad():
                    logits = model(torch.tensor([context + added])).logits[0].double()
                table = logits.log_softmax(-1)
                places = range(len(context), len(context) + len(added))
                total += math.exp(
                    sum(
                        float(table[place - 1, token])
                        for place, token in zip(places, added, strict=True)
                    )
                )
            log_probs[group] = math.log(total)
        odds.setdefault(prompt.item, []).append(log_probs["female"] - log_probs["male"])
    return float(torch.tensor([sum(row) / len(row) for row in odds.values()]).std())


def test_a_template_that_takes_no_lone_message_is_not_asked(
    inputs: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    template = "{{ raise_exception('system first') }}"
    (inputs["model"] / "chat_template.jinja").write_text(template)
    record_provenance(inputs["model"], "local", "tiny", "float32")
    change_params(inputs, **FEW)
    assert run(inputs).exit_code == 0
    assert "the chat template of tiny takes no user's message alone" in caplog.text
    assert result_of(inputs).chat is None
    assert result_of(inputs).auto["evaluation.chat"] is False
    change_params(inputs, chat=True, **FEW)
    refused = run(inputs)
    assert refused.exit_code == 2
    assert "system first; or set evaluation.chat to false" in " ".join(refused.output.split())


def test_without_a_chat_template_there_is_no_chat(inputs: dict[str, Path]) -> None:
    change_params(inputs, chat=True)
    refused = run(inputs)
    assert refused.exit_code == 2
    assert "evaluation.chat is true, but this model's tokenizer has no chat template" in (
        refused.output
    )


def test_a_sceptic_finds_the_controls(inputs: dict[str, Path]) -> None:
    change_params(inputs, max_kl=100.0)
    assert run(inputs).exit_code == 0
    result = result_of(inputs)
    assert result.selected is not None

    nulls = table_of(inputs, "nulls")
    assert nulls.kind.value_counts().to_dict() == {
        "random": 3, "orthogonal": 3, "shuffled": 3, "selected": 1
    }  # fmt: skip
    reduction = result.selected.value("bias_reduction")
    for entry in result.nulls:
        drawn = nulls.bias_reduction[nulls.kind == entry.kind]
        assert entry.p == pytest.approx((1 + (drawn >= reduction).sum()) / 4)
        assert entry.advantage == pytest.approx(reduction - drawn.max(), abs=1e-5)
        assert entry.advantage_ci95 is not None
        assert entry.advantage_ci95[0] <= entry.advantage <= entry.advantage_ci95[1]
        median = entry.distributions["bias_reduction"].median
        assert median == pytest.approx(drawn.median(), rel=1e-4)
    assert result.selected.p_nulls == {entry.kind: entry.p for entry in result.nulls}
    ranked = {row.name: row.p_nulls for row in result.conditions if row.p_nulls}
    assert set(ranked) == {
        f"{method}_{action}"
        for method in ("caa", "pca")
        for action in ("add", "ablate", "ablate_probe", "mean_ablate_probe")
    }
    for name, ranks in ranked.items():
        if name != result.selected.name:
            assert ranks.keys() == {"shuffled"}
            assert ranks["shuffled"] in (0.333333, 0.666667, 1.0)
    assert {row.target for row in result.reprobing} == {"stereotypical", "definitional"}

    dose = table_of(inputs, "dose")
    assert dose.dose.tolist() == [0, 1, 4]
    sweep = table_of(inputs, "sweep")
    best = sweep[sweep.within_budget & (sweep.method != "random")].bias_reduction.max()
    assert dose.bias_reduction[1] == pytest.approx(best, rel=1e-4)

    pareto = table_of(inputs, "pareto")
    undefeated = pareto[pareto.on_front == 1].sort_values("cost")
    assert undefeated.bias_reduction.is_monotonic_increasing
    assert (pareto.test_bias_reduction_low <= pareto.test_bias_reduction_high).all()
    assert {row.cost_at_most for row in result.cost_matched} <= {0.5, 1, 2}

    (prompt,) = [row for row in result.conditions if row.name == "prompt"]
    assert prompt.recipe.prefix in ("Be fair. ", "It rained. ")
    assert prompt.within_budget  # its divergence on validation is known, and held against it
    kl = prompt.estimate("kl_neutral")
    assert kl.value is not None
    assert kl.low is not None
    assert 0 < kl.low <= kl.value
    for row in result.conditions:
        assert row.spread_p is not None
        assert row.spread_p_holm is not None
        assert row.spread_p <= row.spread_p_holm <= 1
        assert (row.cost.added_tokens > 0) == bool(row.recipe.prefix)
        assert (row.minimum_detectable["bias_reduction"] or 0) > 0
    assert result.bias_test.against == "reference"
    assert result.bias_test.verdict.startswith("too few items with a known reference")


def test_a_model_too_weak_is_not_judged(inputs: dict[str, Path]) -> None:
    change_params(inputs, competence_margin=0.5)
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    result = result_of(inputs)
    assert result.selected is None
    for row in [result.baseline, *result.conditions]:
        assert str(row.too_weak).startswith("too weak to tell: on prompts that have a right answer")
        assert row.value("item_spread") is None
        assert row.value("perplexity") is not None
    assert result.competence.chance == 0.5
    assert result.bias_test.verdict == result.baseline.too_weak
    assert result.nulls == []
    assert result.reprobing == []
    assert table_of(inputs, "sweep").bias_reduction.isna().all()
    assert table_of(inputs, "nulls").kind.tolist() == ["selected"]
    assert table_of(inputs, "dose").dose.tolist() == [0]


def test_four_groups_are_chosen_measured_and_put_together_with_two(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    four = make_vectors(("group",))
    religion = [
        replace(
            SteeringVector.of(torch.randn(32), **(shared(vector) | {"axis": "religion"})),
            group=group,
        )
        for vector in four
        for group in ("Christian", "Hindu", "Jewish", "Muslim")
    ]
    save_vectors(tmp_path / "vectors", [*make_vectors(("group",)), *religion])
    write_jsonl(tmp_path / "prompts" / "religion.jsonl", make_four_groups())
    write_jsonl(tmp_path / "prompts" / "gender+religion.jsonl", intersection())
    change_params(inputs, methods=["group"], axes=["gender", "religion"], prefixes=[])
    for axis in ("gender", "religion"):
        printed = CliRunner().invoke(main, arguments(inputs, axis))
        assert printed.exit_code == 0, printed.output
    result = result_of(inputs, "religion")
    assert result.groups == ("Christian", "Hindu", "Jewish", "Muslim")
    assert {row.name for row in result.conditions} == {
        "group_ablate", "group_ablate_probe", "group_mean_ablate_probe", "random_ablate"
    }  # fmt: skip
    assert result.bias_test.against == "lexicon"
    assert "item_spread_item_given_group" in result.baseline.measures
    assert set(table_of(inputs, "items", "religion").group) == set(result.groups)
    assert result.selected is not None

    together = tmp_path / "joint.json"
    names = ("model", "vectors", "prompts", "heldout", "corpus", "params")
    options = {name: inputs[name] for name in names}
    options |= {"evaluation": inputs["output"], "output": tmp_path / "together"}
    parts = [part for name, path in options.items() for part in (f"--{name}", str(path))]
    printed = CliRunner().invoke(joint, [*parts, "--metrics", str(together)])
    assert printed.exit_code == 0, printed.output
    found = JointResult.model_validate_json(together.read_text())
    assert found.axes.keys() == found.cross.keys() == {"gender", "religion"}
    assert found.intersections.keys() == {"gender+religion"}
    for axis in found.axes:
        alone = result_of(inputs, axis).selected
        assert alone is not None
        expected = alone.value("bias_reduction")
        assert found.axes[axis].alone.value("bias_reduction") == pytest.approx(expected, rel=1e-5)
        assert found.cross[axis][axis].value("bias_reduction") == pytest.approx(expected, rel=1e-5)
        assert found.axes[axis].selected.value("perplexity_ratio") is not None
    assert {"in the order of the axes", "in reverse order"} <= {c.name for c in found.candidates}
    spec = InterventionSpec.load(tmp_path / "together" / "intervention")
    number = sum(
        len(InterventionSpec.load(inputs["output"] / axis / "intervention").interventions)
        for axis in found.axes
    )
    assert 0 < len(spec.interventions) <= number


def shared(vector: SteeringVector) -> dict[str, Any]:
    return {
        name: getattr(vector, name) for name in ("axis", "method", "site", "layer", "stream_norm")
    }


def intersection() -> list[Prompt]:
    groups = [f"{one}+{two}" for one in ("female", "male") for two in ("Jewish", "Muslim")]
    return [
        Prompt(
            id=f"{split}-{item}",
            axis="gender+religion",
            kind="stereotypical",
            direction="item_given_group",
            template="The {group} was a",
            item=item,
            split=split,
            text="The {group} was a",
            contexts={group: f"The {group.replace('+', ' ')} was a" for group in groups},
            continuations=dict.fromkeys(groups, (f" {item}",)),
        )
        for split in ("train", "validation", "test")
        for item in ("cook", "judge", "pilot")
    ]


def test_twice_the_same_bytes_though_killed_on_the_way(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = 0

    def read_batch(*args: Any) -> Any:
        nonlocal ran
        ran += 1
        return token_reads.read_batch(*args)

    monkeypatch.setattr("evenkeel.scoring.steered_reads.read_batch", read_batch)
    change_params(inputs, **FEW)
    assert run(inputs).exit_code == 0
    first, total = contents(inputs), ran
    assert len(first) == 9 + 2 * len(result_of(inputs).conditions)  # two files of each
    work = inputs["output"] / ".gender.part"
    # A fork has imported what it needs; threads of torch would not be in it.
    fork = multiprocessing.get_context("fork").Process(target=run_on_one_thread, args=(inputs,))
    fork.start()
    while fork.is_alive() and len(list(work.glob("*"))) < 2:
        time.sleep(0.01)
    fork.kill()
    fork.join()
    assert fork.exitcode == -signal.SIGKILL
    assert work.is_dir()
    assert contents(inputs) == first
    ran = 0
    assert run(inputs).exit_code == 0
    assert 0 < ran < total
    assert contents(inputs) == first
    assert not work.exists()


def test_nothing_within_the_budget_is_said_and_not_selected(
    inputs: dict[str, Path], tiny_gpt2: Any, tokenizer: Any
) -> None:
    asked = [prompt.text for prompt in make_prompts() if prompt.split != "train"]
    own_words = continue_texts(
        tiny_gpt2, tokenizer, asked,
        max_new_tokens=20, temperature=0, top_p=1, batch_size=8, seed=0,
    )  # fmt: skip
    write_jsonl(inputs["heldout"], [CorpusText(kind="plain", text=text) for text in own_words])
    change_params(inputs, add_multipliers=[20.0], actions=["add"], max_perplexity_ratio=1.0)
    result = run(inputs)
    assert result.exit_code == 0, result.output
    result = result_of(inputs)
    assert result.selected is None
    tried = 8 + TRIED * STEPS  # less of the best is over the budget, too
    assert f"none of the {tried} candidates" in result.selection.reason
    assert not any(row.within_budget for row in result.conditions if row.name != "prompt")
    assert InterventionSpec.load(inputs["output"] / "gender" / "intervention").interventions == ()
    assert table_of(inputs, "items").steered.isna().all()


def test_a_model_with_no_bias_has_no_reduction(inputs: dict[str, Path]) -> None:
    same = [
        prompt.model_copy(update={"text": "The person said that"})
        if prompt.kind == "stereotypical"
        else prompt
        for prompt in make_prompts()
    ]
    write_jsonl(inputs["prompts"] / "gender.jsonl", same)
    change_params(inputs, gates=["none"], actions=["add", "ablate"])
    result = run(inputs)
    assert result.exit_code == 0, result.output
    result = result_of(inputs)
    assert result.baseline.value("item_spread") == pytest.approx(0, abs=1e-9)
    assert all(row.value("bias_reduction") is None for row in result.conditions)
    assert result.selected is None


def missing_split(inputs: dict[str, Path]) -> None:
    rows = [prompt for prompt in make_prompts() if prompt.split != "validation"]
    write_jsonl(inputs["prompts"] / "gender.jsonl", rows)


def missing_texts(inputs: dict[str, Path]) -> None:
    write_jsonl(inputs["heldout"], [CorpusText(kind="question", text="Who?")])


def missing_knowledge(inputs: dict[str, Path]) -> None:
    rows = [row for row in make_prompts() if (row.split, row.kind) != ("train", "definitional")]
    write_jsonl(inputs["prompts"] / "gender.jsonl", rows)


def missing_layer(inputs: dict[str, Path]) -> None:
    change_params(inputs, layers=[9])


def wrong_model(inputs: dict[str, Path]) -> None:
    vectors = [
        SteeringVector.of(vector.direction[:16], **shared(vector))
        for vector in make_vectors(("caa", "pca"))
    ]
    save_vectors(inputs["vectors"], vectors)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_split, "validation split of axis 'gender': no stereotypical prompts"),
        (missing_knowledge, "the train split lacks stereotypical prompts, or definitional ones"),
        (missing_texts, "has 0 texts of kind 'plain'"),
        (missing_layer, "layers names layer 9, but there is a vector only for layers [0, 1, 2]"),
        (wrong_model, "made for a width of 16, but this model has 32"),
    ],
)
def test_bad_input_leaves_earlier_outputs_alone(
    inputs: dict[str, Path], spoil: Any, message: str
) -> None:
    earlier = inputs["metrics"] / "gender.json"
    earlier.parent.mkdir()
    earlier.write_text("earlier")
    spoil(inputs)
    result = run(inputs)
    assert result.exit_code == 2
    assert message in result.output
    assert earlier.read_text() == "earlier"
    assert not (inputs["output"] / "gender").exists()


def test_vectors_of_another_model_are_refused(inputs: dict[str, Path]) -> None:
    folder = inputs["vectors"] / "gender" / "vectors"
    other = {"model": {"name": "other", "fingerprint": "0" * 64}}
    VectorSet.of(replace(each, metadata=other) for each in VectorSet.load(folder)).save(folder)
    result = run(inputs)
    assert result.exit_code == 2
    assert f"{folder.parent}: computed on other (000000000000)" in " ".join(result.stderr.split())
    assert not inputs["output"].exists()


def test_features_are_ablated_among_random_sets_and_may_be_selected(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_params(
        inputs,
        methods=["sae"],
        actions=["clamp", "scale"],
        clamp_values=[0.0],
        scale_factors=[0.0, 3.0],
        null_draws=4,
        max_perplexity_ratio=100.0,
    )
    result = run(inputs)
    assert result.exit_code == 0, result.output
    assert "features 3, 7 ablated: bias reduction" in result.output
    result = result_of(inputs)
    found = result.feature_ablation
    assert found is not None
    assert (found.features, found.layer, found.draws) == ((3, 7), 1, 4)
    assert found.firings_per_token == pytest.approx(0.04 + 0.08)
    assert found.p in (0.2, 0.4, 0.6, 0.8, 1.0)
    by_name = {row.name: row for row in result.conditions}
    assert {"sae_clamp", "sae_clamp_probe", "sae_scale", "sae_scale_probe"} <= by_name.keys()
    for name in ("bias_reduction", "item_spread"):
        assert found.value(name) == by_name["sae_clamp"].value(name)
    assert result.selected is not None
    assert result.selected.recipe.features == (3, 7)
    (null,) = result.nulls
    assert (null.kind, null.draws) == ("random_latents", 4)
    spec = InterventionSpec.load(inputs["output"] / "gender" / "intervention")
    assert spec.interventions[0].features == (3, 7)  # type: ignore[attr-defined]

    before, executor = contents(inputs), Elsewhere()
    monkeypatch.setattr(choosing, "executor_of", lambda *_: executor)
    assert run(inputs).exit_code == 0
    assert contents(inputs) == before  # whoever runs the passes
    assert executor.tasks > 10


def test_a_learned_edit_may_be_selected_and_deployed(inputs: dict[str, Path]) -> None:
    reft = {
        "ranks": [1, 2],
        "layers": [[1], [0, 1]],
        "multipliers": [1.0],
        "max_kl": 50.0,
        "steps": 12,
        "batch_rows": 8,
        "texts": 4,
        "open_at_known": 0.1,
        "further_items": False,
        "shuffles": 2,
    }
    change_params(inputs, methods=["reft"], reft=reft, prefixes=[], max_perplexity_ratio=1e3)
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    result = result_of(inputs)
    (row,) = result.conditions
    assert (row.name, row.recipe.gate) == ("reft_probe", "probe")
    assert result.selection.candidates == 4
    assert result.selected is not None
    assert {(null.kind, null.draws) for null in result.nulls} == {
        ("shuffled_items", 2),
        ("random_subspace", 3),
    }
    assert set(table_of(inputs, "sweep").layer.astype(str)) == {"1", "0|1"}
    spec = InterventionSpec.load(inputs["output"] / "gender" / "intervention")
    layers = row.recipe.layer if isinstance(row.recipe.layer, tuple) else (row.recipe.layer,)
    assert tuple(item.layer for item in spec.interventions) == layers
    assert all(len(item.rotation) == row.recipe.rank for item in spec.interventions)  # type: ignore[attr-defined]


def test_baselines_are_compared_at_the_same_budgets_and_never_selected(
    inputs: dict[str, Path],
) -> None:
    pytest.importorskip("peft")
    for prompts, axis in ((make_prompts(), "gender"),):
        write_jsonl(inputs["prompts"] / f"{axis}.jsonl", [p.model_dump() for p in held(prompts)])
    lora = {
        "rank": 2, "steps": 8, "rate": 0.02, "batch_rows": 8, "beta": 0.5, "texts": 4,
        "multipliers": [0.5, 1.0], "shuffles": 1,
    }  # fmt: skip
    names = ["cda_lora", "dpo_lora", "self_debias"]
    change_params(inputs, baselines=names, lora=lora, max_perplexity_ratio=1e3, prefixes=[],
                  self_debias={"diagnosis": "Of {axis}: ", "decays": [5.0, 9.0]})  # fmt: skip
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    result = result_of(inputs)
    rows = {row.name: row for row in result.conditions[-3:]}
    assert list(rows) == names
    assert result.selected is None or result.selected.name not in names
    for name, row in rows.items():
        assert row.within_budget
        assert row.value("bias_reduction") is not None
        assert (row.value("kl_neutral") or 0) > 0
        ranks = None if name == "self_debias" else {"shuffled_items"}
        assert (set(row.p_nulls) if row.p_nulls else None) == ranks
    assert rows["cda_lora"].recipe.rank == 2
    assert rows["cda_lora"].recipe.multiplier in (0.5, 1.0)
    assert rows["self_debias"].recipe.multiplier in (5.0, 9.0)
    before = contents(inputs)
    assert run(inputs).exit_code == 0
    assert contents(inputs) == before


def test_an_eraser_may_be_selected_and_deployed(inputs: dict[str, Path]) -> None:
    folder = inputs["vectors"] / "gender" / "erasers"
    EraserSet.of(make_erasers(("leace", "inlp"))).save(folder)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["vectors"] |= {"eraser_methods": ["leace", "inlp"]}
    params["evaluation"] |= SMALL | {
        "methods": ["leace", "inlp"], "prefixes": [], "max_perplexity_ratio": 1e3
    }  # fmt: skip
    inputs["params"].write_text(yaml.safe_dump(params))
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    result = result_of(inputs)
    assert [row.name for row in result.conditions] == [
        "leace", "leace_probe", "inlp", "inlp_probe"
    ]  # fmt: skip
    assert result.selection.candidates == 2 * 2 * 4
    assert result.selected is not None
    assert {(null.kind, null.draws) for null in result.nulls} == {("random", 3), ("shuffled", 3)}
    spec = InterventionSpec.load(inputs["output"] / "gender" / "intervention")
    assert all(isinstance(item, Erase) for item in spec.interventions)


def test_an_eraser_that_is_not_fitted_is_refused(inputs: dict[str, Path]) -> None:
    change_params(inputs, methods=["inlp"])
    printed = run(inputs)
    assert printed.exit_code == 2
    assert "evaluation.methods names ['inlp'], which vectors.eraser_methods does" in printed.output


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"few_shot": 1}, "evaluation.few_shot: prompt "),
        ({"few_shot": 0, "prefixes": ["Be fair. " * 2]}, "evaluation.prefixes: prompt "),
        ({"few_shot": 0, "prefixes": ["Be fair. " * 99]}, "behind the prefix 'Be fair. "),
    ],
)
def test_what_leaves_no_room_for_an_answer_is_refused_before_anything_is_tried(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(protocol, "search", None)
    generation = SMALL["generation"] | {"max_new_tokens": 40}  # they fit behind a prompt alone
    change_params(inputs, **{"prefixes": [], "generation": generation} | changed)
    printed = run(inputs)
    assert printed.exit_code == 2, printed.output
    assert says in printed.output
    assert "or give " in printed.output


def test_examples_and_an_intervention_behind_them_are_conditions(inputs: dict[str, Path]) -> None:
    change_params(inputs, prefixes=[], few_shot=1, compared_null_draws=0)
    printed = run(inputs)
    assert printed.exit_code == 0, printed.output
    result = result_of(inputs)
    assert result.selected is not None
    rows = {row.name: row for row in result.conditions}
    prefix = "This maid left because he. "
    assert rows["few_shot"].recipe.prefix == prefix
    both = rows[f"prompt_{result.selected.name}"]
    assert both.recipe == result.selected.recipe.model_copy(update={"prefix": prefix})
    assert both.value("item_spread") != rows["few_shot"].value("item_spread")
    assert all(row.p_nulls is None for row in result.conditions if row.name != result.selected.name)

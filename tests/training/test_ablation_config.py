from pathlib import Path

import pytest

from tests.training.test_ablate import METHOD
from training.ablation_config import (
    format_gain,
    format_spread,
    format_table,
    read_ablation,
    read_table,
    vary,
    vary_segments,
)

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"


def test_a_variant_changes_only_what_it_names(tmp_path):
    (tmp_path / "method.toml").write_text(METHOD.format(folder=tmp_path))
    table = read_table(tmp_path / "method.toml")
    varied = vary(table, {"objective.coarse": 0.5, "seed": 7, "model.context": 1}, "here")
    assert (varied.objective.coarse, varied.seed, varied.model.context, varied.epochs) == (0.5, 7, 1, 2)
    assert vary(table, {}, "here").objective.coarse == 0.0
    changed = vary_segments(varied.segments, {"changes": 0}, "here")
    assert (changed.changes, changed.thresholds) == (0, varied.segments.thresholds)


def scores(value):
    return dict.fromkeys(("R@1,IoU=0.3", "R@1,IoU=0.5", "R@1,IoU=0.7", "R@5,IoU=0.5", "mIoU"), value)


def test_the_table_weighs_folds_by_their_queries_and_pairs_the_gain():
    base = {(0, 0): scores(10.0), (1, 0): scores(40.0), (0, 1): scores(12.0), (1, 1): scores(42.0)}
    better = {
        cell: scores(value["mIoU"] + gain) for (cell, value), gain in zip(base.items(), (1, 3, 1, 3), strict=True)
    }
    lines = format_table({"base": base, "better": better}, {0: 200, 1: 100}).splitlines()
    assert lines[2].startswith("| base | 21.0 ± 1.4 |")
    assert lines[3].startswith("| better | 22.7 ± 1.4 |")
    assert lines[3].endswith("| +2.0 ± 0.6 |")


def test_one_seed_has_no_spread():
    assert format_spread([61.25]) == "61.2"
    assert format_gain({(0, 0): scores(2.0)}, {(0, 0): scores(1.0)}) == "+1.0"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("ablate-*.toml")), ids=lambda path: path.stem)
def test_the_shipped_ablations_differ_from_their_method_by_known_keys(path):
    ablation = read_ablation(path)
    table = read_table(CONFIGS.parents[1] / ablation.config)
    configs = [vary(table, variant.set, variant.name) for variant in ablation.variants]
    assert len({repr(config) for config in configs}) == len(configs)
    assert configs[-1] == vary(table, {}, "the full method")
    for decoder in ablation.decoders:
        vary_segments(configs[-1].segments, decoder.set, decoder.name)

"""Trains and scores every variant of an ablation, paired over the same folds and seeds, and prints the table.

    python -m training.ablate training/configs/ablate-composed.toml --out runs/ablate-composed
    accelerate launch --multi_gpu --num_processes 2 -m training.ablate CONFIG --out DIR

The cells are shared out among the processes. What is done already is not done again, so a stopped run goes on. Every
cell leaves its checkpoint and its predictions in DIR, beside the moments of its fold, for any scorer to read.
"""

import argparse
import dataclasses
import json
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from tqdm import tqdm

from grounding.checkpoint import load_grounder, read_config
from grounding.encoders.stand_in import StandIn, load_stand_in
from grounding.errors import GroundingError
from grounding.predictor import Predictor
from grounding.text import stop_quietly
from training.ablation_config import (
    OPEN_WORLD,
    AblationConfig,
    Variant,
    format_table,
    read_ablation,
    read_table,
    vary,
    vary_segments,
    write_json,
)
from training.config import TrainConfig
from training.epoch_selection import EncodedQueries, predict_spans
from training.evaluate import write_predictions
from training.features import open_features
from training.folds import Fold, make_folds
from training.metrics import compute_recalls
from training.moments import DataError, read_moments, write_moments
from training.open_world import measure_open_world
from training.sources import path_from_moments
from training.stand_in import fit_stand_in
from training.train import STATE, Run, train

RESULT = "result.json"


class Cell(NamedTuple):
    """One training run."""

    variant: Variant
    fold: Fold
    seed: int

    def folder(self, out: Path) -> Path:
        """Where the run's checkpoint and predictions are."""
        return out / slug_from_name(self.variant.name) / f"fold-{self.fold.number}-seed-{self.seed}"


def slug_from_name(name: str) -> str:
    """`name` as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def make_config(cell: Cell, table: dict, ablation: AblationConfig) -> TrainConfig:
    """What one cell trains by. Raises DataError for a change that names an unknown key."""
    changes = {**cell.variant.set, "seed": cell.seed}
    if cell.fold.train:
        moments = cell.fold.supervised if changes.get("data.supervised") else cell.fold.train
        changes |= {"data.moments": moments, "data.validation": cell.fold.select}
    return vary(table, changes, f"{ablation.config}, variant {cell.variant.name!r}")


class Scorer:
    """Predicts and scores the test moments of a fold with trained grounders; videos and queries are loaded once.

    Args:
        fold: whose test moments.
        config: how the features are stored.
        features: folder of the test videos' features, where they are not those that `config` names.
    """

    def __init__(self, fold: Fold, config: TrainConfig, features: str = "") -> None:
        self.moments = sorted(read_moments(fold.test), key=lambda moment: moment.video)
        data = dataclasses.replace(config.data, features=features) if features else config.data
        store = open_features(data, config.frame_encoder, config.model.frame_width, config.rate)
        self.videos = {moment.video: store.load(moment.video, moment.duration) for moment in self.moments}
        self.queries = sorted({moment.query.strip() for moment in self.moments})
        self.keep = path_from_moments(fold.test)

    def score(
        self, checkpoint: Path, out: Path, changes: dict | None = None, tester: tuple[StandIn, Tensor] | None = None
    ) -> dict[str, float]:
        """Percentages by metric; moments and predictions are left in `out`.

        `changes` are to the decoder; `tester` reads the queries in the place of the checkpoint's own stand-in, and has
        the center (D,) that is taken off them.
        """
        config = read_config(checkpoint)
        stand_in, center = tester or (None, None)
        if config.stand_in and not stand_in:
            stand_in = load_stand_in(checkpoint, config.model.width, config.stand_in)
        if changes:
            config = dataclasses.replace(config, segments=vary_segments(config.segments, changes, checkpoint))
        predictor = Predictor(config, load_grounder(checkpoint, config), device="cpu")
        if center is not None:
            predictor.matcher.change_reader(center)
        predictor.query_encoder = EncodedQueries(self.queries, self.keep, stand_in)
        found = predict_spans(predictor, self.videos, self.moments)
        write_moments(out / "moments.jsonl", self.moments)
        write_predictions(out / "predictions.jsonl", found)
        return compute_recalls(found, [moment.spans for moment in self.moments])


def run_cell(cell: Cell, table: dict, ablation: AblationConfig, out: Path, scorer: Scorer) -> None:
    """Trains and scores one cell, and with the last variant's curves the other decoders; results are kept."""
    folder = cell.folder(out)
    config = make_config(cell, table, ablation)
    decoders = ablation.decoders if cell.variant == ablation.variants[-1] else ()
    made_by = repr((config, decoders, cell.variant.tested_by))
    if (folder / RESULT).is_file():
        check_same(folder / RESULT, made_by)
        return
    run = train(config, folder)
    rows = {cell.variant.name: scorer.score(folder, folder, tester=fit_tester(cell.variant, config, run))}
    for decoder in decoders:
        rows[decoder.name] = scorer.score(folder, folder / slug_from_name(decoder.name), decoder.set)
    grounder = load_grounder(folder, read_config(folder))
    known = measure_open_world(grounder, ablation.open_world) if ablation.open_world else None
    if known is not None:
        rows = {name: row | {OPEN_WORLD: round(known, 2)} for name, row in rows.items()}
    (folder / STATE).unlink(missing_ok=True)
    write_json(
        folder / RESULT,
        {
            "fold": cell.fold.number,
            "seed": cell.seed,
            "queries": len(scorer.moments),
            "made_by": made_by,
            "rows": rows,
        },
    )


def fit_tester(variant: Variant, config: TrainConfig, run: Run) -> tuple[StandIn, Tensor] | None:
    """The stand-in that reads a transfer row's test queries, and their center (D,) in its reading, of the training
    sentences; None for any other row. Raises DataError."""
    if not variant.tested_by:
        return None
    data = dataclasses.replace(config.data, anchors=variant.tested_by)
    stand_in = fit_stand_in(dataclasses.replace(config, data=data), run.sources)
    center = stand_in.map_sentences(run.bank.sentences).mean(dim=0)  # (D,)
    return stand_in, center.lerp(stand_in.text_mean, config.general_center)


def check_same(path: Path, made_by: str) -> None:
    """Raises DataError if a result was made by another config than the one that asks for it now."""
    if json.loads(path.read_text(encoding="utf-8")).get("made_by") != made_by:
        raise DataError(f"{path} was made by another config: delete it, or give another --out.")


def run_cells(cells: list[Cell], ablation: AblationConfig, out: Path) -> None:
    """All the cells of one process, fold by fold, so that a fold is loaded once."""
    table = read_table(ablation.config)
    for number, group in groupby(sorted(cells, key=lambda cell: cell.fold.number), key=lambda cell: cell.fold.number):
        group = list(group)
        scorer = Scorer(group[0].fold, make_config(group[0], table, ablation), ablation.features)
        for cell in tqdm(group, desc=f"{ablation.name}, fold {number}", unit="run"):
            run_cell(cell, table, ablation, out, scorer)


def collect_table(cells: list[Cell], out: Path) -> str:
    """The table of what is done so far."""
    scores: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
    counts: dict[int, int] = {}
    for cell in cells:
        path = cell.folder(out) / RESULT
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            counts[result["fold"]] = result["queries"]
            for name, row in result["rows"].items():
                scores.setdefault(name, {})[result["fold"], result["seed"]] = row
    return format_table(scores, counts) if scores else "nothing is done yet\n"


def ablate(ablation: AblationConfig, out: Path) -> str:
    """Runs what is missing, shared out among the processes, and returns the table."""
    from accelerate import PartialState

    state = PartialState(cpu=True)
    with state.main_process_first():
        folds = make_folds(ablation, out)
    cells = [Cell(variant, fold, seed) for seed in ablation.seeds for fold in folds for variant in ablation.variants]
    with state.split_between_processes(cells) as own:
        run_cells(own, ablation, out)
    state.wait_for_everyone()
    return collect_table(cells, out) if state.is_main_process else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/ablate-composed.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the table")
    args = parser.parse_args()
    try:
        table = ablate(read_ablation(args.config), args.out)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    if table:
        (args.out / "table.md").write_text(table, encoding="utf-8")
        print(table, end="")
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main))

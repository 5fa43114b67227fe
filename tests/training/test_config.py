import dataclasses
from pathlib import Path

import pytest

from grounding.segments.hard_negatives import Scale
from training.config import TrainConfig, read_train_config
from training.moments import DataError
from training.objective import WEIGHTS

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"
SMALL = """name = "small"
frame_encoder = "embedded"
epochs = 3
learning_rate = 1

[data]
moments = "m.jsonl"
features = "features"

[model]
frame_width = 1664
"""


def read(tmp_path, text: str) -> TrainConfig:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return read_train_config(path)


def test_a_config_is_read_with_its_defaults(tmp_path):
    config = read(tmp_path, SMALL)
    assert (config.name, config.epochs, config.model.frame_width, config.data.moments) == ("small", 3, 1664, "m.jsonl")
    assert config.objective == TrainConfig("", "", config.data, config.model).objective


def test_a_mark_that_an_editor_puts_first_is_no_part_of_it(tmp_path):
    assert read(tmp_path, "\ufeff" + SMALL) == read(tmp_path, SMALL)


def test_a_whole_number_will_do_for_a_float(tmp_path):
    rate = read(tmp_path, SMALL).learning_rate
    assert (rate, type(rate)) == (1.0, float)


def test_nested_tables_and_lists_are_built_all_the_way_down(tmp_path):
    text = (
        SMALL
        + """
[segments]
thresholds = [0.5, 1]

[objective.contrast]
temperature = 0.2
scales = [{radius = 2, share = 0.5}, {radius = 5.0, share = 0.1}]
"""
    )
    config = read(tmp_path, text)
    assert config.segments.thresholds == (0.5, 1.0)
    assert config.objective.contrast.temperature == 0.2
    assert config.objective.contrast.scales == (Scale(2.0, 0.5), Scale(5.0, 0.1))


def test_every_shipped_config_is_read():
    paths = sorted(path for path in CONFIGS.glob("*.toml") if not path.name.startswith("ablate-"))
    assert paths
    for path in paths:
        assert dataclasses.is_dataclass(read_train_config(path))


@pytest.mark.parametrize(
    ("line", "wrong", "number"),
    [
        ("epochs = 3", "epoks = 3", 3),
        ("epochs = 3", 'epochs = "three"', 3),
        ("epochs = 3", "epochs = 3.5", 3),
        ("epochs = 3", "epochs = true", 3),
        ("learning_rate = 1", 'learning_rate = "high"', 4),
        ("frame_width = 1664", "frame_breadth = 1664", 11),
        ("frame_width = 1664", 'frame_width = "1664"', 11),
        ('moments = "m.jsonl"', "moments = 7", 7),
        ("epochs = 3", "epochs = -1", 3),
        ("epochs = 3", "videos = 0", 3),
        ("epochs = 3", "rate = 0", 3),
        ("epochs = 3", "rate = nan", 3),
        ("epochs = 3", "averaging = 1", 3),
        ("epochs = 3", "interpolation = 0", 3),
        ("epochs = 3", "general_center = 1.5", 3),
        ("epochs = 3", "weight_decay = -0.1", 3),
        ("learning_rate = 1", "learning_rate = 0", 4),
    ],
)
def test_a_wrong_key_or_value_names_file_line_and_key(tmp_path, line, wrong, number):
    with pytest.raises(DataError) as caught:
        read(tmp_path, SMALL.replace(line, wrong))
    message = str(caught.value)
    assert f"run.toml, line {number}" in message
    assert wrong.split(" ")[0] in message
    assert ". must" not in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SMALL.replace('name = "small"\n', ""), "name is missing"),
        (SMALL.replace("frame_width = 1664\n", ""), "frame_width is missing"),
        (SMALL.split("[model]")[0], "model is missing"),
        ("epochs = 3\nepochs 4", "line 2"),
        (SMALL.split("[data]")[0] + "data = 3\n[model]\nframe_width = 4\n", "data"),
        (SMALL + "context = 4\n", "line 12: model.context must be odd"),
        (SMALL + "[objective.contrast]\nscales = [{radius = 0, share = 0.5}]\n", "scales.radius must be above 0"),
        (SMALL + "[segments]\nthresholds = 0.5\n", "thresholds"),
        (SMALL + '[segments]\nthresholds = "0.5"\n', "thresholds"),
        (SMALL + '[segments]\nthresholds = ["low"]\n', "thresholds"),
    ],
)
def test_a_broken_config_names_the_file_and_the_reason(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path, text)
    assert "run.toml" in str(caught.value)


ALL_ZERO = "video = 0.0\npresence = 0.0"


@pytest.mark.parametrize(
    ("table", "wrong", "named"),
    [
        ("model", "dropout = 1.5", "model.dropout"),
        ("model", "blur = 1e9", "model.blur"),
        ("bridge", "ridge = -1.0", "bridge.ridge"),
        ("bridge", "whitening = nan", "bridge.whitening"),
        ("composition", "fewest = 9", "composition.fewest"),
        ("objective", ALL_ZERO, "objective.video"),
        *(("objective", f"{name} = -1.0", f"objective.{name}") for name in WEIGHTS),
        ("objective", "video = nan", "objective.video"),
        ("objective", "pool = 0.0", "objective.pool"),
        ("objective", "hard = 1.0\ncontrast.scales = []", "objective.hard"),
        ("objective.contrast", "temperature = 0.0", "objective.contrast.temperature"),
        ("objective.contrast", "temperature = -0.1", "objective.contrast.temperature"),
        ("objective.contrast", "background = 0.8", "objective.contrast.background"),
        ("objective.contrast", "balance = -1.0", "objective.contrast.balance"),
        ("segments", "thresholds = []\ncontrast = false", "segments.thresholds"),
        ("segments", "thresholds = [1.5]", "segments.thresholds"),
        ("segments", "smoothing = 1e9", "segments.smoothing"),
        ("segments", "sharpness = -1.0", "segments.sharpness"),
        ("segments", "windows = [0.0]", "segments.windows"),
        ("segments", "changes = -1", "segments.changes"),
    ],
)
def test_a_number_that_makes_no_sense_names_file_line_and_key(tmp_path, table, wrong, named):
    head = "" if table == "model" else f"[{table}]\n"
    with pytest.raises(DataError) as caught:
        read(tmp_path, SMALL + head + wrong + "\n")
    line = 12 if table == "model" else 13
    assert f"run.toml, line {line}: {named} must be " in str(caught.value)


def test_the_line_is_that_of_the_key_in_its_own_table(tmp_path):
    text = SMALL + "[objective.contrast]\nbalance = 0.7\n\n[segments]\nbalance = -1.0\n"
    with pytest.raises(DataError, match="line 16: segments.balance"):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "binary.toml"):
        with pytest.raises(DataError, match=path.name):
            read_train_config(path)

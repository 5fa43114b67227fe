import numpy as np
import pytest
from safetensors.numpy import save_file

from grounding.features.encoded_video import EncodedVideo
from training.config import DataConfig
from training.features import (
    FeatureFolder,
    PublishedFeatures,
    is_written,
    open_features,
    path_from_video,
    write_features,
)
from training.moments import DataError

VIDEO = EncodedVideo(np.array([0.0, 0.5, 1.0]), np.arange(12, dtype=np.float32).reshape(3, 4), 1.25, "fake")


class TestFeatureFolder:
    def test_what_is_written_is_read_back(self, tmp_path):
        write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        video = FeatureFolder(tmp_path, "fake", 4).load("a.mp4")
        assert video.timestamps.tolist() == VIDEO.timestamps.tolist()
        assert video.features.tolist() == VIDEO.features.tolist()
        assert (video.duration, video.encoder) == (1.25, "fake")

    def test_names_with_folders_are_kept_apart(self, tmp_path):
        store = FeatureFolder(tmp_path, "fake", 4)
        path = write_features(tmp_path, "b/a.mp4", VIDEO, rate=2.0)
        assert path == path_from_video(tmp_path, "b/a.mp4")
        assert store.has("b/a.mp4")
        assert not store.has("a.mp4")

    def test_the_same_name_with_another_suffix_is_another_video(self, tmp_path):
        write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        assert not FeatureFolder(tmp_path, "fake", 4).has("a.avi")

    @pytest.mark.parametrize("name", ["v_1.mp4", "v_1.MKV", "b/v_1.webm"])
    def test_annotations_may_leave_out_the_suffix(self, tmp_path, name):
        write_features(tmp_path, name, VIDEO, rate=2.0)
        store = FeatureFolder(tmp_path, "fake", 4)
        assert store.has(name.rsplit(".", 1)[0])
        assert store.load(name.rsplit(".", 1)[0]).duration == 1.25
        assert not store.has("v_")

    def test_writing_again_replaces_and_leaves_nothing_else(self, tmp_path):
        for _ in range(2):
            write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        assert len(list(tmp_path.iterdir())) == 1

    def test_writing_is_whole_or_not_at_all(self, tmp_path, monkeypatch):
        def dies(tensors, path, meta):
            path.write_bytes(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr("training.features.save_file", dies)
        with pytest.raises(KeyboardInterrupt):
            write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        assert not FeatureFolder(tmp_path, "fake", 4).has("a.mp4")

    def test_a_missing_video_says_how_to_make_it(self, tmp_path):
        with pytest.raises(DataError, match=r"a\.mp4.*training\.extract"):
            FeatureFolder(tmp_path, "fake", 4).load("a.mp4")

    @pytest.mark.parametrize(
        ("encoder", "width", "named"), [("other", 4, "'fake', not 'other'"), ("fake", 5, r"\(3, 4\), not \(T, 5\)")]
    )
    def test_another_encoder_or_width_names_both(self, tmp_path, encoder, width, named):
        write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        with pytest.raises(DataError, match=named):
            FeatureFolder(tmp_path, encoder, width).load("a.mp4")

    @pytest.mark.parametrize("keep", [0, 4, 100, -1])
    def test_a_damaged_file_is_named(self, tmp_path, keep):
        path = write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(DataError, match=r"a\.mp4\.safetensors.*extract"):
            FeatureFolder(tmp_path, "fake", 4).load("a.mp4")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"meta": {"encoder": "fake"}},
            {"meta": {"encoder": "fake", "duration": "long"}},
            {"meta": {"encoder": "fake", "duration": "0.5"}},
            {"meta": None},
            {"tensors": {"features": np.ones((3, 4))}},
            {"tensors": {"features": np.full((3, 4), np.nan), "timestamps": np.arange(3.0)}},
            {"tensors": {"features": np.ones((2, 4)), "timestamps": np.arange(3.0)}},
        ],
    )
    def test_a_file_that_holds_something_else_is_named(self, tmp_path, wrong):
        tensors = wrong.get("tensors", {"features": np.ones((3, 4)), "timestamps": np.arange(3.0)})
        save_file(tensors, tmp_path / "a.mp4.safetensors", wrong.get("meta", {"encoder": "fake", "duration": "9.0"}))
        with pytest.raises(DataError, match=r"a\.mp4\.safetensors"):
            FeatureFolder(tmp_path, "fake", 4).load("a.mp4")


class TestPublishedFeatures:
    @pytest.fixture
    def store(self, tmp_path):
        features = {"A": np.ones((3, 4), np.float16), "B": np.ones((1, 4), np.float16), "C": np.ones((2, 4))}
        times = {"A": np.array([0, 0.5, 1], np.float32), "B": np.zeros(1, np.float32), "C": np.zeros(3)}
        save_file(features, tmp_path / "features.safetensors")
        save_file(times, tmp_path / "times.safetensors")
        return PublishedFeatures(tmp_path / "features.safetensors", tmp_path / "times.safetensors", "clip", 4)

    def test_a_video_is_one_step_longer_than_its_last_frame(self, store):
        video = store.load("A")
        assert (video.timestamps.tolist(), video.duration, video.encoder) == ([0, 0.5, 1.0], 1.5, "clip")
        assert video.features.shape == (3, 4)

    def test_a_video_of_one_frame(self, store):
        assert store.load("B").duration > 0

    def test_a_missing_video_is_named(self, store):
        with pytest.raises(DataError, match="no features of Z"):
            store.load("Z")

    def test_timestamps_that_do_not_fit_are_an_error(self, store):
        with pytest.raises(DataError, match="do not fit"):
            store.load("C")

    def test_another_width_is_an_error(self, store):
        with pytest.raises(DataError, match=r"not \(T, 9\)"):
            PublishedFeatures(store.features.path, store.timestamps.path, "clip", 9).load("A")

    def test_a_missing_file_is_named(self, store):
        store.timestamps.path.unlink()
        with pytest.raises(DataError, match=r"times\.safetensors"):
            store.load("A")

    def test_the_duration_that_is_given_wins(self, store):
        assert store.load("A", 1.2).duration == 1.2

    def test_a_last_frame_outside_the_video_is_dropped(self, store):
        assert store.load("A", 0.9).timestamps.tolist() == [0, 0.5]

    def test_a_video_far_shorter_than_its_features_is_an_error(self, store):
        with pytest.raises(DataError, match=r"features\.safetensors, video A.*1\.0 s.*0\.5 s"):
            store.load("A", 0.5)

    def test_clip_features_are_brought_to_unit_length_others_are_left(self, store):
        assert store.load("A").features[0].tolist() == [1, 1, 1, 1]
        clip = PublishedFeatures(store.features.path, store.timestamps.path, "open_clip:ViT-B-32:openai", 4)
        assert clip.load("A").features.tolist() == [[0.5] * 4] * 3

    @pytest.mark.parametrize("encoder", ["clip", "open_clip:ViT-B-32:openai"])
    def test_nan_is_an_error_that_names_the_video(self, store, encoder):
        save_file({"A": np.full((3, 4), np.nan)}, store.features.path)
        with pytest.raises(DataError, match=r"features\.safetensors, video A.*NaN"):
            PublishedFeatures(store.features.path, store.timestamps.path, encoder, 4).load("A")


class TestIsWritten:
    def test_a_whole_file_of_this_encoder_and_rate_is(self, tmp_path):
        assert not is_written(tmp_path, "a.mp4", "fake", 2.0)
        write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        assert is_written(tmp_path, "a.mp4", "fake", 2.0)

    def test_a_truncated_one_is_not(self, tmp_path):
        path = write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        path.write_bytes(path.read_bytes()[:-4])
        assert not is_written(tmp_path, "a.mp4", "fake", 2.0)

    @pytest.mark.parametrize(
        ("encoder", "rate", "named"), [("other", 2.0, "'fake', not 'other'"), ("fake", 1.0, "2.0")]
    )
    def test_one_of_another_encoder_or_rate_is_an_error(self, tmp_path, encoder, rate, named):
        write_features(tmp_path, "a.mp4", VIDEO, rate=2.0)
        with pytest.raises(DataError, match=f"{named}.*choose another --out"):
            is_written(tmp_path, "a.mp4", encoder, rate)


def test_the_config_says_which_store():
    folder, published = DataConfig("m", "f"), DataConfig("m", "f", timestamps="t")
    assert isinstance(open_features(folder, "fake", 4, 2.0), FeatureFolder)
    assert isinstance(open_features(published, "fake", 4, 2.0), PublishedFeatures)


def test_features_of_another_rate_are_refused(tmp_path):
    write_features(tmp_path, "a.mp4", EncodedVideo(np.arange(3.0), np.ones((3, 4), np.float32), 3.0, "toy"), 1.0)
    assert FeatureFolder(tmp_path, "toy", 4, rate=1.0).load("a.mp4").duration == 3.0
    with pytest.raises(DataError, match="sampled at 1.0"):
        FeatureFolder(tmp_path, "toy", 4, rate=2.0).load("a.mp4")

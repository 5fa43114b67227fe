"""A library with three clips, filled once for each file of tests, and a copy of it that a test may change."""

import shutil

import pytest

from grounding.library.library import Library
from tests.library.clips import write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory, predictor, folder):
    """A library with the three clips."""
    library = Library(tmp_path_factory.mktemp("library"), predictor)
    list(library.add([folder]))
    return library


@pytest.fixture
def library(tmp_path, filled, predictor):
    """A copy of it that a test may change."""
    shutil.copytree(filled.folder, tmp_path / "library")
    return Library(tmp_path / "library", predictor)


@pytest.fixture
def no_encoder(predictor, monkeypatch):
    monkeypatch.setattr(predictor.frame_encoder, "encode", lambda frames: pytest.fail("encoded again"))

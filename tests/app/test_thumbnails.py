import base64
import json
import re

import cv2
import numpy as np

from grounding.app import thumbnails
from grounding.app.thumbnails import BOX, COLUMNS, MAX_TILES, TILE, ThumbnailCollector, Thumbnails, render_sheet
from grounding.video.reader import Frame
from tests.clips import BLUE, GREEN, RED, plain
from tests.states import make_thumbnails


def picture(uri):
    data = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def near(image, colour):
    return np.abs(image.mean(axis=(0, 1)) - colour).max() < 40


def sheet(made):
    return json.loads(re.search(r"data-sheet='(.*?)'", render_sheet(made))[1])


def test_a_thumbnail_is_the_one_nearest_in_time():
    assert near(picture(make_thumbnails().uri_at(0.2)), RED)
    assert near(picture(make_thumbnails().uri_at(3.1)), GREEN)
    assert near(picture(make_thumbnails().uri_at(99)), BLUE)


def test_a_thumbnail_keeps_its_shape_and_is_small():
    projector = ThumbnailCollector()
    projector.add([Frame(0.0, plain(RED, (1080, 1920))), Frame(1.0, plain(RED, (1920, 1080)))])
    wide, tall = (picture(projector.thumbnails().uri_at(time)) for time in (0, 1))
    assert wide.shape[:2] == (160, 284)
    assert tall.shape[:2] == (160, 90)
    assert BOX == (284, 160)


def test_a_picture_that_stands_still_is_made_into_a_thumbnail_once(monkeypatch):
    made = []
    monkeypatch.setattr(thumbnails, "encode_jpeg", lambda image: made.append(image) or b"jpeg")
    still, collector = plain(RED), ThumbnailCollector()
    collector.add([Frame(0.0, still), Frame(1.0, still), Frame(2.0, plain(RED))])
    assert len(made) == 2
    assert collector.thumbnails().jpegs == (b"jpeg",) * 3


def test_a_long_film_is_thinned_evenly():
    projector = ThumbnailCollector(most=8)
    projector.add(Frame(float(second), plain(RED)) for second in range(40))
    times = np.array(projector.thumbnails().timestamps)
    assert len(times) <= 8
    assert times[0] == 0
    assert times[-1] >= 32
    assert (np.diff(times) == times[1]).all()


def test_cuts_are_where_another_shot_begins():
    assert make_thumbnails().cuts == (2.0, 4.0)


def test_far_apart_frames_tell_of_no_cut_and_leave_those_of_the_others():
    early, collector = ThumbnailCollector(far_apart=True), ThumbnailCollector()
    early.add([Frame(0.0, plain(RED)), Frame(9.0, plain(GREEN))])
    collector.add([Frame(4.0, plain(RED)), Frame(4.5, plain(GREEN))])
    assert early.thumbnails().cuts == () and len(early.thumbnails().jpegs) == 2
    assert collector.thumbnails(early).cuts == (4.5,) and len(collector.thumbnails(early).jpegs) == 4


def test_the_sheet_tells_where_each_frame_is():
    told = sheet(make_thumbnails())
    assert told["times"] == [place / 2 for place in range(12)]
    image = picture(re.search(r"src='(.*?)'", render_sheet(make_thumbnails()))[1])
    assert image.shape == (TILE[1], TILE[0] * COLUMNS, 3)
    fifth = image[:, 4 * TILE[0] : 5 * TILE[0]]
    assert near(fifth[20:60, 20:100], GREEN)


def test_the_strip_of_a_long_film_is_bounded():
    pictures = make_thumbnails().jpegs
    long = Thumbnails(tuple(float(second) for second in range(3000)), pictures[:1] * 3000)
    assert len(sheet(long)["times"]) == MAX_TILES
    assert (sheet(long)["times"][0], sheet(long)["times"][-1]) == (0, 2999)


def test_no_film_is_no_strip():
    assert render_sheet(Thumbnails()) == ""

"""Thumbnails of a video's sampled frames, kept from the pass that encodes them, so that nothing is decoded twice."""

import base64
import json
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np

from grounding.features.chunks import BLOCK, gather_chunks
from grounding.isolation.client import IsolatedReader
from grounding.isolation.worker_pool import Check
from grounding.video.reader import Frame

BOX = (284, 160)  # pixels, width and height that a thumbnail fits into
TILE = (120, 80)  # the same, for those on the sheet
SKETCH = (16, 16)  # pixels, width and height at which neighbouring frames are compared
CUT = 27.0  # of 255, mean difference of hue, saturation and value from which a new shot begins, as in PySceneDetect
MAX_KEPT = 4096  # thumbnails; of a longer video every second, fourth, ... one is kept
MAX_TILES = 240  # on the sheet that the browser gets
COLUMNS = 20
BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="  # one transparent pixel


@dataclass(frozen=True)
class Thumbnails:
    """Thumbnails in order.

    Attributes:
        timestamps: of each, seconds.
        jpegs: each as a JPEG file.
        cuts: seconds of those sampled frames that begin another shot.
    """

    timestamps: tuple[float, ...] = ()
    jpegs: tuple[bytes, ...] = ()
    cuts: tuple[float, ...] = ()

    def uri_at(self, timestamp: float) -> str:
        """The thumbnail nearest to a time, as a data URI; blank where there is none at all."""
        if not self.timestamps:
            return BLANK
        return uri_from_jpeg(self.jpegs[int(np.abs(np.array(self.timestamps) - timestamp).argmin())])

    def choose_tiles(self) -> list[int]:
        """Which thumbnails stand on the sheet: all, or MAX_TILES of them, evenly spread."""
        count = len(self.jpegs)
        return list(np.unique(np.linspace(0, count - 1, min(count, MAX_TILES)).round().astype(int)))


class ThumbnailCollector:
    """Makes thumbnails while frames pass by, and forgets every second one where there are more than `most`.

    `far_apart`: whether seconds lie between neighbouring frames, so that a difference says nothing of where a cut is.
    """

    def __init__(self, most: int = MAX_KEPT, far_apart: bool = False) -> None:
        self._far_apart = far_apart
        self._most, self._step, self._next = most, 1, 0
        self._kept: dict[int, tuple[float, bytes]] = {}  # by a frame's place in order of time
        self._cuts: set[float] = set()
        self._begins: dict[int, tuple[float, np.ndarray]] = {}  # sketches where a piece begins whose neighbour is not
        self._ends: dict[int, np.ndarray] = {}  # yet there, and where one ends; by the place of the neighbour
        self._image: np.ndarray | None = None  # the last frame, as it came and in small
        self._sketch: np.ndarray | None = None
        self._jpeg = b""

    def add(self, frames: Iterable[Frame], first: int | None = None) -> None:
        """Neighbouring frames, `first` the place of the first of them; by default they follow the last ones."""
        first = self._next if first is None else first
        if first != self._next:
            self._image = None
        self._sketch = self._ends.pop(first, None)
        for place, frame in enumerate(frames, start=first):
            self._look_at(frame, place)
            if place % self._step == 0:
                self._jpeg = self._jpeg or encode_jpeg(shrink_into(frame.image, BOX))
                self._kept[place] = frame.timestamp, self._jpeg
            self._next = place + 1
            if len(self._kept) > self._most:
                self._step *= 2
                self._kept = {place: kept for place, kept in self._kept.items() if place % self._step == 0}
        if self._next in self._begins:
            self._compare(self._sketch, *self._begins.pop(self._next))
        elif self._sketch is not None:
            self._ends[self._next] = self._sketch

    def thumbnails(self, elsewhere: "ThumbnailCollector | None" = None) -> Thumbnails:
        """Those so far; with the pictures of `elsewhere`, another look at the same video."""
        kept = {time: jpeg for each in (elsewhere, self) if each for time, jpeg in each._kept.values()}
        return Thumbnails(tuple(sorted(kept)), tuple(kept[time] for time in sorted(kept)), tuple(sorted(self._cuts)))

    def _look_at(self, frame: Frame, place: int) -> None:
        """Notices a cut. A picture that stands still comes again as the same object, and stays as it is."""
        if frame.image is self._image:
            return
        self._image, self._jpeg = frame.image, b""
        sketch = cv2.cvtColor(cv2.resize(frame.image, SKETCH, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV)
        sketch = sketch.astype(np.float32)  # (16, 16, 3)
        if self._sketch is None:
            self._begins[place] = frame.timestamp, sketch
        else:
            self._compare(self._sketch, frame.timestamp, sketch)
        self._sketch = sketch

    def _compare(self, before: np.ndarray, timestamp: float, sketch: np.ndarray) -> None:
        if not self._far_apart and np.abs(sketch - before).mean() > CUT:
            self._cuts.add(timestamp)


def read_thumbnails(path: str, rate: float, check: Check) -> Generator[float, None, Thumbnails]:
    """The thumbnails of a video, `rate` a second; yields how far it is, seconds. What `check` raises ends it.

    Raises VideoError.
    """
    collector = ThumbnailCollector()
    with closing(IsolatedReader(path, rate, check=check).read_indexed()) as frames:
        for chunk in gather_chunks(frames, BLOCK, lambda: False):
            collector.add(chunk.frames, chunk.first)
            yield chunk.frames[-1].timestamp
    return collector.thumbnails()


def shrink_into(image: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) scaled into a box of width and height, never up."""
    height, width = image.shape[:2]
    scale = min(box[0] / width, box[1] / height, 1.0)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def encode_jpeg(image: np.ndarray, quality: int = 78) -> bytes:
    """An RGB image (H, W, 3) as a JPEG file."""
    _, file = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return file.tobytes()


def uri_from_jpeg(jpeg: bytes) -> str:
    """A JPEG file as an address that needs no server."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def render_sheet(thumbnails: Thumbnails) -> str:
    """All tiles in one image, as a hidden element that the page's script shows pieces of."""
    chosen = thumbnails.choose_tiles()
    if not chosen:
        return ""
    tiles = [make_tile(thumbnails.jpegs[index]) for index in chosen]
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)]
    times = [thumbnails.timestamps[index] for index in chosen]
    sheet = {"times": times, "columns": COLUMNS, "width": TILE[0], "height": TILE[1]}
    source = uri_from_jpeg(encode_jpeg(np.vstack(rows), 60))
    return f"<img hidden alt='' src='{source}' data-sheet='{json.dumps(sheet)}'>"


def make_tile(jpeg: bytes) -> np.ndarray:
    """A JPEG file as a tile, black where the video's shape leaves room, (TILE[1], TILE[0], 3) RGB."""
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    image = shrink_into(image, TILE)
    full = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    top, left = (TILE[1] - image.shape[0]) // 2, (TILE[0] - image.shape[1]) // 2
    full[top : top + image.shape[0], left : left + image.shape[1]] = image
    return full

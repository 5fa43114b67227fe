"""Thumbnails of a video's sampled frames, kept from the pass that encodes them, so that nothing is decoded twice."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from grounding.video.reader import Frame

BOX = (240, 160)  # pixels, width and height that a thumbnail fits into
TILE = (120, 80)  # the same, for those on the strip
MOST = 4096  # thumbnails; of a longer video every second, fourth, ... one is kept
STRIP = 240  # tiles on the strip that the browser gets
COLUMNS = 20


@dataclass(frozen=True)
class Film:
    """Thumbnails in order: seconds, and JPEG files."""

    timestamps: tuple[float, ...] = ()
    pictures: tuple[bytes, ...] = ()

    def picture(self, timestamp: float) -> str:
        """The thumbnail nearest to a time, as a data URI; blank where there is none at all."""
        if not self.timestamps:
            return "data:,"
        return data_uri(self.pictures[int(np.abs(np.array(self.timestamps) - timestamp).argmin())])

    def tiles(self) -> list[int]:
        """Which thumbnails stand on the strip: all, or STRIP of them, evenly spread."""
        count = len(self.pictures)
        return list(np.unique(np.linspace(0, count - 1, min(count, STRIP)).round().astype(int)))


class Projector:
    """Collects a film while frames pass by, and forgets every second one when it grows beyond `most`."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._step, self._seen = most, 1, 0
        self._kept: list[tuple[float, bytes]] = []

    def add(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if self._seen % self._step == 0:
                self._kept.append((frame.timestamp, jpeg(fit(frame.image, BOX))))
            self._seen += 1
            if len(self._kept) > self._most:
                self._kept, self._step = self._kept[::2], 2 * self._step

    def film(self) -> Film:
        """What was collected so far."""
        return Film(tuple(time for time, _ in self._kept), tuple(picture for _, picture in self._kept))


def fit(image: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) scaled into a box of width and height, never up."""
    height, width = image.shape[:2]
    scale = min(box[0] / width, box[1] / height, 1.0)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def jpeg(image: np.ndarray, quality: int = 78) -> bytes:
    """An RGB image (H, W, 3) as a JPEG file."""
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ].tobytes()


def data_uri(picture: bytes) -> str:
    """A JPEG file as an address that needs no server."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


def strip(film: Film) -> str:
    """All tiles in one image, as a hidden element that the page's script shows pieces of."""
    chosen = film.tiles()
    if not chosen:
        return ""
    tiles = [tile(film.pictures[index]) for index in chosen]
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)]
    sheet = {
        "times": [film.timestamps[index] for index in chosen],
        "columns": COLUMNS,
        "width": TILE[0],
        "height": TILE[1],
    }
    return f"<img hidden alt='' src='{data_uri(jpeg(np.vstack(rows), 60))}' data-sheet='{json.dumps(sheet)}'>"


def tile(picture: bytes) -> np.ndarray:
    """A JPEG file as a tile, black where the video's shape leaves room, (TILE[1], TILE[0], 3) RGB."""
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    image = fit(image, TILE)
    full = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    top, left = (TILE[1] - image.shape[0]) // 2, (TILE[0] - image.shape[1]) // 2
    full[top : top + image.shape[0], left : left + image.shape[1]] = image
    return full

"""Frames as OpenCV decodes them: quick where all frames of a plain file are wanted."""

import os
from collections.abc import Iterator

import cv2
import numpy as np

from grounding.video.container import OPEN_OPTIONS, get_limits, make_undecodable_error
from grounding.video.decoder import DecodedFrame, begins_before_clock
from grounding.video.pictures import shrink
from grounding.video.probe import Probe


class OpenCVDecoder:
    """See Decoder. It takes the first picture track, knows nothing of pixels that are not square, transparent or of
    high range, gives a first frame without a timestamp that of 0, and from 4.13 on returns interlaced frames black or
    stale and says that all is well."""

    def can_decode(self, probe: Probe) -> bool:
        return probe.is_first and probe.is_plain and not begins_before_clock(probe)

    def decode(self, probe: Probe, short_side: int) -> Iterator[DecodedFrame]:
        _silence_logs()
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(
            f"{name};{value}" for name, value in OPEN_OPTIONS.items()
        )
        path, limits = probe.path, get_limits()
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)  # absolute: "concat:a" is a protocol otherwise

        def get_image() -> np.ndarray:
            found, image = capture.retrieve()
            if not found:
                raise make_undecodable_error(path)
            limits.check_size(path.name, image.shape[1], image.shape[0])  # a stream may change it midway
            return cv2.cvtColor(shrink(image, short_side), cv2.COLOR_BGR2RGB)  # (H, W, 3), made upright by OpenCV

        try:
            first = True
            while capture.grab():
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield DecodedFrame(seconds if seconds or first else None, get_image)  # 0 is its word for none, too
                first = False
        finally:
            capture.release()


def _silence_logs() -> None:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our message says what is wrong, once
    log = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # its place in OpenCV 5, and in 4
    log.setLogLevel(0)

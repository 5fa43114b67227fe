"""Moments as an editing program takes them: cuts of clips in whole frames, one after another on a timeline."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from grounding.errors import GroundingError
from grounding.exports.timecode import (
    end_frame,
    first_frame,
    frame_from_timecode,
    has_drop_frame,
    is_drop_frame,
    timecode_from_frame,
    timecode_rate,
)
from grounding.text import UNCERTAIN, escape_unprintable
from grounding.video.media_info import MediaInfo

BEGIN, BEGIN_DROP = "01:00:00:00", "01:00:00;00"  # where timelines begin by custom


@dataclass(frozen=True)
class Moment:
    """A stretch of a video that fits a query.

    Attributes:
        video: path of the file.
        query: what was asked.
        start, end: seconds.
        score: higher is better.
        stands_out: whether it fits the query better than other videos do; None if not known.
    """

    video: str
    query: str
    start: float
    end: float
    score: float
    stands_out: bool | None = None


@dataclass(frozen=True)
class Cut:
    """A moment in whole frames.

    Attributes:
        moment: what is cut.
        info: of its clip.
        rate: frames a second that are counted, see `timecode_rate`.
        origin: number of the frame at second 0, by the clip's own timecode. Editing programs count from there, too: a
            clip whose picture comes late begins with its sound and without a picture.
        first, last: numbers of the first frame and of the one after the last, counted from `origin` on.
        drop: whether the clip's timecode is drop-frame.
        placed: number of the timeline's frame where the cut begins, from 0.
        length: frames of the timeline.
        bare: whether the file is told by its name alone, for those whom its folder does not concern.
    """

    moment: Moment
    info: MediaInfo
    rate: Fraction
    origin: int
    first: int
    last: int
    drop: bool
    placed: int = 0
    length: int = 0
    bare: bool = False

    @property
    def path(self) -> str:
        """Where the file is."""
        return Path(self.moment.video).name if self.bare else self.moment.video

    @property
    def name(self) -> str:
        """The clip's file name, on one line."""
        return escape_unprintable(Path(self.moment.video).name)

    @property
    def note(self) -> str:
        """The query and its score, on one line, and whether it is uncertain."""
        doubt = f", {UNCERTAIN}" if self.is_uncertain else ""
        return f"{escape_unprintable(self.moment.query)} ({self.moment.score:.2f}{doubt})"

    @property
    def caption(self) -> str:
        """The query, and whether it is uncertain that this is it."""
        return self.moment.query + (f" ({UNCERTAIN})" if self.is_uncertain else "")

    @property
    def is_uncertain(self) -> bool:
        """Whether the moment does not stand out."""
        return self.moment.stands_out is False

    @property
    def uri(self) -> str:
        """Address of the file; of one that is known by its name alone, the name: it lies beside the export."""
        video = Path(self.path)
        return quote(video.name) if video.parent == Path() else video.absolute().as_uri()

    @property
    def media_length(self) -> int:
        """Frames of the whole clip."""
        return max(end_frame(self.info.duration, self.rate), self.last)

    @property
    def timecodes(self) -> tuple[str, str]:
        """Of the first frame and of the one after the last, by the clip's own timecode."""
        first, last = (
            timecode_from_frame(self.origin + frame, self.rate, self.drop) for frame in (self.first, self.last)
        )
        return first, last


@dataclass(frozen=True)
class CutList:
    """Cuts one after another on a timeline at the rate of most of them."""

    cuts: tuple[Cut, ...]
    rate: Fraction
    drop: bool

    @property
    def length(self) -> int:
        """Frames."""
        return self.cuts[-1].placed + self.cuts[-1].length

    @property
    def origin(self) -> int:
        """Number of the timeline's first frame, by its timecode."""
        return frame_from_timecode(BEGIN_DROP if self.drop else BEGIN, self.rate)

    def timecode(self, frame: int) -> str:
        """Of a frame of the timeline, counted from 0."""
        return timecode_from_frame(self.origin + frame, self.rate, self.drop)


def build_cut_list(moments: Sequence[Moment], read_info: Callable[[str], MediaInfo], bare: bool = False) -> CutList:
    """Places moments one after another, in their order.

    A clip's own timecode is followed where it has one, and begins at 0 where not: drop-frame at 29.97 and 59.94. A clip
    of variable frame rate is counted at its mean rate, as most editing programs do when they take it in.

    Args:
        moments: at least one.
        read_info: reads a file; asked once for each. Its errors are raised.
        bare: see Cut.

    Raises:
        GroundingError: there are no moments.
    """
    if not moments:
        raise GroundingError("There are no moments to export: choose some, or ask for others.")
    infos = {video: read_info(video) for video in dict.fromkeys(moment.video for moment in moments)}
    cuts = [_cut(moment, infos[moment.video]) for moment in moments]
    (rate, drop), _ = Counter((cut.rate, cut.drop) for cut in cuts).most_common(1)[0]
    placed, done = 0, []
    for cut in cuts:
        length = max(round((cut.last - cut.first) * rate / cut.rate), 1)
        done.append(replace(cut, placed=placed, length=length, bare=bare))
        placed += length
    return CutList(tuple(done), rate, drop)


def _cut(moment: Moment, info: MediaInfo) -> Cut:
    rate = timecode_rate(info.rate)
    first = first_frame(moment.start, rate)
    last = max(end_frame(moment.end, rate), first + 1)
    try:
        origin, drop = frame_from_timecode(info.timecode, rate), is_drop_frame(info.timecode, rate)
    except GroundingError:  # none, or not one of this rate
        origin, drop = 0, has_drop_frame(rate)
    return Cut(moment, info, rate, origin, first, last, drop)

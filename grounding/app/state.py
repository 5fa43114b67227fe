"""What one visitor has asked about one clip: the queries with their answers, and which of them is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

import numpy as np

from grounding.answer import Answer
from grounding.app.thumbnails import Thumbnails
from grounding.segments.find import Segment
from grounding.segments.hard_negatives import HardNegative

MAX_QUERIES = 5  # curves that can be told apart
MAX_SEGMENTS = 10  # that can be asked for
INVISIBLE = 0.03  # difference of two scores that a plot does not show
SLOTS = 8  # colours with markers, more than queries: none comes back while one remembers whose it was


@dataclass(frozen=True)
class QueryResult:
    """A query with its answer.

    Attributes:
        answer: of the chosen checkpoint, with as many segments as are shown.
        similarities: for each segment, the (T,) cosines of the frames with it.
        baseline: answer of the same model without hard-negative mining, where there is one.
        clip_similarity: (T,) what CLIP itself says, untrained, where the model is made from CLIP; see
            Predictor.measure_clip_similarity.
        context: seconds on either side of a frame that the model sees with it.
        slot: which colour and marker are its own, 0 to SLOTS - 1.
        model: which checkpoint answered, and why that one.
        full: the answer with all its segments where fewer are shown.
        missing: spans of seconds that were not looked at but for key frames, where the answer is a rough one.
    """

    answer: Answer
    similarities: tuple[np.ndarray, ...] = ()
    baseline: Answer | None = None
    clip_similarity: np.ndarray | None = None
    context: float = 0.0
    slot: int = 0
    model: str = ""
    full: Answer | None = None
    missing: tuple[tuple[float, float], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.answer.query, self.answer.checkpoint

    @property
    def baseline_differs(self) -> bool:
        """Whether there is a baseline with another curve than the model's own, as far as anybody can see."""
        if self.baseline is None:
            return False
        return bool(np.abs(self.answer.scores - self.baseline.scores).max() >= INVISIBLE)

    def limit_segments(self, most: int) -> "QueryResult":
        """With the best `most` segments alone, of all that were found."""
        full = self.full or self.answer
        hard = [frame for frame in full.hard_negatives if frame.segment < most]
        return replace(self, full=full, answer=replace(full, segments=full.segments[:most], hard_negatives=hard))

    def frame_at(self, timestamp: float) -> int:
        """Index of the sampled frame nearest to a time."""
        return int(np.abs(self.answer.timestamps - timestamp).argmin())


@dataclass(frozen=True)
class ClipState:
    """The state of the page for one clip.

    Attributes:
        clip: path of the video.
        thumbnails: of its frames.
        results: queries in the order in which they were asked.
        active: index of the query whose segments and frames are shown.
        segment: index of its chosen segment.
        compare: whether the baseline is shown too.
        show_clip: whether CLIP's own similarity is shown too.
        move: a name for the last time that the video was sent elsewhere, so that the page moves it once for each.
        plays: whether it plays there.
        next_slot: where the search for a free colour begins.
        files: paths of what was made to be taken away, by name.
    """

    clip: str
    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    results: tuple[QueryResult, ...] = ()
    active: int = 0
    segment: int = 0
    compare: bool = False
    show_clip: bool = False
    move: str = ""
    plays: bool = False
    next_slot: int = 0
    files: tuple[str, ...] = ()

    @property
    def result(self) -> QueryResult:
        """The active query's."""
        return self.results[self.active]

    @property
    def chosen(self) -> Segment:
        """The chosen segment."""
        return self.result.answer.segments[self.segment]

    @property
    def first_frame(self) -> float:
        """Time of the first sampled frame in the chosen segment, which may begin between two frames; seconds."""
        times = self.result.answer.timestamps
        inside = times[(times >= self.chosen.start) & (times < self.chosen.end)]
        return float(inside[0]) if len(inside) else self.chosen.start

    @property
    def hard_negatives(self) -> list[HardNegative]:
        """Boundary frames of the chosen segment, the hardest first."""
        return [frame for frame in self.result.answer.hard_negatives if frame.segment == self.segment]

    @property
    def next_to_leave(self) -> QueryResult:
        """The oldest query that is not looked at; there have to be two."""
        return self.results[0 if self.active else 1]

    def add(self, result: QueryResult) -> "ClipState":
        """With one more query, which becomes the active one; the same query again takes its old place and colour.

        Where there are MAX_QUERIES already, `next_to_leave` leaves.
        """
        kept = [other for other in self.results if other.key != result.key]
        same = [other.slot for other in self.results if other.key == result.key]
        if len(kept) == MAX_QUERIES:
            kept = [other for other in kept if other is not self.next_to_leave]
        taken = {other.slot for other in kept}
        in_turn = [(self.next_slot + step) % SLOTS for step in range(SLOTS)]  # that of the last one to leave comes last
        slot = (same or [slot for slot in in_turn if slot not in taken])[0]
        next_slot = self.next_slot if same else (slot + 1) % SLOTS
        results = (*kept, replace(result, slot=slot))
        return self._move(results=results, active=len(results) - 1, segment=0, plays=False, next_slot=next_slot)

    def remove(self) -> "ClipState | None":
        """Without the active query; None where it was the last."""
        rest = self.results[: self.active] + self.results[self.active + 1 :]
        if not rest:
            return None
        return replace(self, results=rest, active=min(self.active, len(rest) - 1), segment=0)

    def select_query(self, query: int) -> "ClipState":
        """Another query becomes the active one."""
        return self._move(active=query, segment=0, plays=False)

    def select_segment(self, segment: int) -> "ClipState":
        """Another segment of the active query; it plays."""
        return self._move(segment=segment, plays=True)

    def select_segment_at(self, start: float) -> "ClipState":
        """The segment of the active query that starts nearest to a time, seconds; it plays."""
        starts = [abs(segment.start - start) for segment in self.result.answer.segments]
        return self.select_segment(int(np.argmin(starts)))

    def limit_segments(self, most: int) -> "ClipState":
        """With `most` segments at most for each query; the best becomes the chosen one where that is not among them."""
        limited = replace(self, results=tuple(result.limit_segments(most) for result in self.results))
        is_there = self.segment < len(limited.result.answer.segments)
        return limited if is_there else limited._move(segment=0, plays=False)

    def add_files(self, paths: Sequence[str]) -> "ClipState":
        """With more files to be taken away; one of the same name takes the place of the last."""
        names = {Path(path).name for path in paths}
        kept = [path for path in self.files if Path(path).name not in names]
        return replace(self, files=(*kept, *paths))

    def _move(self, **changes: object) -> "ClipState":
        return replace(self, move=token_hex(4), **changes)

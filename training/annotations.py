"""Published annotations, read as rows of video, duration, sentence and spans."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grounding.segments.find import Span
from training.files import FormatError, read_lines, read_number, read_object, read_text

Row = tuple[str, float, str, list[Span]]  # video, duration, query, its spans in seconds


def read_charades(annotations: Path, durations: Path | None = None) -> Iterator[Row]:
    """Charades-STA as published (Gao et al., ICCV 2017): `ID start end##sentence`, with durations from a CSV
    whose columns are `id` and `length` (as in Charades_v1_train.csv) or `video_id` and `duration`."""
    if read_text(annotations).lstrip().startswith("["):
        yield from read_list(annotations, read_json(annotations))
        return
    if durations is None:
        raise FormatError("it holds no durations, so give a CSV that does after it")
    seconds = read_durations(durations)
    for number, line in read_lines(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            times, mark, query = line.partition("##")
            if not mark or len(times.split()) != 3:
                raise FormatError("it is not ID START END##SENTENCE")
            video, *span = times.split()
            if video not in seconds:
                raise FormatError(f"{durations} has no duration of {video}, so give the one that has")
            row = video, seconds[video], query, [read_span(span)]
        yield row


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by video, from a CSV, also as spreadsheets write it where a comma is the decimal sign.

    Raises FormatError that knows the line.
    """
    # The header tells what separates columns: no name of a column holds one of these.
    lines = read_text(path).splitlines(keepends=True)
    header = lines[0] if lines else ""
    separator = next((sign for sign in ",;\t" if sign in header), ",")
    reader = csv.DictReader(lines, delimiter=separator)
    seconds = {}
    for row in reader:
        with name_errors_at(f"{path}, line {reader.line_num}"):
            values = {(name or "").strip().lower(): value for name, value in row.items()}
            video, length = values.get("video_id") or values.get("id"), values.get("duration") or values.get("length")
            if not video or not length:
                raise FormatError("it has no id with a length, nor a video_id with a duration")
            seconds[video.strip()] = read_number(length.replace(",", "."), f"the duration of {video.strip()}")
    return seconds


def read_activitynet(annotations: Path) -> Iterator[Row]:
    """ActivityNet Captions as published (Krishna et al., ICCV 2017)."""
    videos = read_json(annotations)
    if isinstance(videos, list):
        yield from read_list(annotations, videos)
        return
    for video, entry in videos.items():
        with name_errors_at(f"{annotations}, video {video}"):
            sentences, spans, duration = entry["sentences"], entry["timestamps"], entry["duration"]
            if len(sentences) != len(spans):
                raise FormatError(f"{len(sentences)} sentences have {len(spans)} timestamps, not one each")
            duration = read_number(duration, "duration")
            rows = [(video, duration, query, [read_span(span)]) for query, span in zip(sentences, spans, strict=True)]
        yield from rows


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises ValueError."""
    with name_errors_at(str(path)):
        return json.loads(read_text(path))


def read_list(annotations: Path, rows: list) -> Iterator[Row]:
    """The list format of CNM (Zheng et al., AAAI 2022) and CPL (CVPR 2022), of whichever data set."""
    if not rows:
        raise FormatError("the list is empty")
    for number, row in enumerate(rows, 1):
        with name_errors_at(f"{annotations}, entry {number}"):
            if not isinstance(row, list) or len(row) != 4:
                raise FormatError("it is not [video, duration, [start, end], sentence]")
            video, duration, span, query = row
            row = video, read_number(duration, "duration"), query, [read_span(span)]
        yield row


def read_span(span: Sequence[float]) -> Span:
    """Start and end, seconds. Raises FormatError for anything else."""
    if not isinstance(span, list | tuple) or len(span) != 2:
        raise FormatError(f"{span!r} is not a start and an end")
    return read_number(span[0], "start"), read_number(span[1], "end")


def read_qvhighlights(annotations: Path) -> Iterator[Row]:
    """QVHighlights as published (Lei et al., NeurIPS 2021), its test split without windows, too."""
    for number, entry in read_numbered_objects(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            spans = [read_span(span) for span in entry.get("relevant_windows") or ()]
            row = entry["vid"], read_number(entry["duration"], "duration"), entry["query"], spans
        yield row


def read_folds(annotations: Path, split: list[str]) -> Iterator[Row]:
    """Charades-STA with a fold for each video; `split` names the folds that are wanted."""
    for number, entry in read_numbered_objects(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            video, query, span = entry["video_id"], entry["query"], read_span((entry["start"], entry["end"]))
            duration = read_number(entry["duration"], "duration")
            wanted = str(entry["fold"]) in split
        if wanted:
            yield video, duration, query, [span]


def read_msrvtt(clips: Path, split: list[str]) -> Iterator[Row]:
    """Clips with captions: every caption describes its whole clip. Names are those of the files in `videos/`."""
    from grounding.video.reader import FrameReader

    for number, entry in read_numbered_objects(clips):
        with name_errors_at(f"{clips}, line {number}"):
            name, captions = f"{entry['video_id']}.mp4", entry["captions"]
            wanted = entry["split"] in split
        if wanted:
            reader = FrameReader(clips.parent / "videos" / name, rate=1.0)
            for _ in reader.read_timed():
                pass
            yield from ((name, reader.duration, query, [(0.0, reader.duration)]) for query in captions)


def read_frame_folders(clips: Path) -> Iterator[Row]:
    """Folders of frames with captions, each about the whole of its folder, whose frames count as half a second apart.

    A line is an object with "video_id", the folder's name, "frames", how many it holds, and "captions".
    """
    for number, entry in read_numbered_objects(clips):
        with name_errors_at(f"{clips}, line {number}"):
            name, duration, captions = entry["video_id"], read_number(entry["frames"], "frames") / 2, entry["captions"]
            rows = [(name, duration, query, [(0.0, duration)]) for query in captions]
        yield from rows


def read_numbered_objects(path: Path) -> Iterator[tuple[int, dict]]:
    """The objects of a file with one JSON object per line, with the lines' numbers."""
    for number, line in read_lines(path):
        with name_errors_at(f"{path}, line {number}"):
            entry = read_object(line)
        yield number, entry


def read_json_lines(path: Path) -> Iterator[dict]:
    """The objects of a file with one JSON object per line."""
    return (entry for _, entry in read_numbered_objects(path))


@contextmanager
def name_errors_at(place: str) -> Iterator[None]:
    """Notes on an error where it arose."""
    try:
        yield
    except Exception as error:
        error.add_note(place)
        raise


READERS: dict[str, Callable[..., Iterator[Row]]] = {
    "charades": read_charades,
    "activitynet": read_activitynet,
    "qvhighlights": read_qvhighlights,
    "folds": read_folds,
    "msrvtt": read_msrvtt,
    "frames": read_frame_folders,
}

"""OpenTimelineIO, the interchange format of the Academy Software Foundation; its package writes it."""

from fractions import Fraction

from grounding.errors import GroundingError
from grounding.exports.cut_list import Cut, CutList
from grounding.text import escape_unprintable

INSTALL = "pip install opentimelineio"


def otio_from_cuts(cuts: CutList, title: str) -> str:
    """The text of a timeline with one track: a clip for each cut, with the query as a marker.

    Raises GroundingError where the package is not installed.
    """
    try:
        import opentimelineio as otio
    except ImportError as error:
        raise GroundingError(
            f"Timelines as .otio are written by OpenTimelineIO, which is not installed: {INSTALL}, "
            "or export as .fcpxml or .edl."
        ) from error
    timeline = otio.schema.Timeline(escape_unprintable(title))
    timeline.global_start_time = otio.opentime.RationalTime(cuts.origin, float(cuts.rate))
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    for cut in cuts.cuts:
        track.append(_clip(otio, cut))
    return timeline.to_json_string()


def _clip(otio, cut: Cut):
    media = otio.schema.ExternalReference(cut.uri, _span(otio, cut.origin, cut.media_length, cut.rate))
    span = _span(otio, cut.origin + cut.first, cut.last - cut.first, cut.rate)
    moment = cut.moment
    facts = {"query": escape_unprintable(moment.query), "score": moment.score, "stands_out": moment.stands_out}
    clip = otio.schema.Clip(cut.name, media, span, metadata={"grounding": facts})
    colour = otio.schema.MarkerColor.YELLOW if cut.is_uncertain else otio.schema.MarkerColor.GREEN
    clip.markers.append(otio.schema.Marker(cut.note, span, colour))
    return clip


def _span(otio, start: int, length: int, rate: Fraction):
    return otio.opentime.TimeRange(*(otio.opentime.RationalTime(frames, float(rate)) for frames in (start, length)))

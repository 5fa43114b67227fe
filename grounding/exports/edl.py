"""Edit decision lists as CMX 3600 has them, which every editing program reads."""

from grounding.errors import GroundingError
from grounding.exports.cut_list import Cut, CutList
from grounding.exports.timecode import nominal_rate
from grounding.text import escape_unprintable

MOST_EVENTS = 999  # three digits
FASTEST = 99  # frames a second, since a timecode has two digits for them
REEL = "AX"  # what is no tape


def edl_from_cuts(cuts: CutList, title: str) -> str:
    """The text of an EDL: an event for each cut, with the query as a comment and as a locator.

    Raises GroundingError for more than 999 cuts, and for clips of 100 and more frames a second.
    """
    if len(cuts.cuts) > MOST_EVENTS:
        raise GroundingError(
            f"An EDL holds {MOST_EVENTS} events at most, and these are {len(cuts.cuts)}: "
            "export fewer, or as .otio or .fcpxml."
        )
    for cut in cuts.cuts:
        if nominal_rate(cut.rate) > FASTEST:
            raise GroundingError(
                f"{cut.name!r} has {float(cut.rate):g} frames a second and an EDL counts {FASTEST} at most: "
                "export it as .otio or .fcpxml."
            )
    lines = [f"TITLE: {escape_unprintable(title)}", f"FCM: {'DROP FRAME' if cuts.drop else 'NON-DROP FRAME'}", ""]
    for number, cut in enumerate(cuts.cuts, start=1):
        lines += _event(cuts, cut, number)
    return "\n".join(lines) + "\n"


def _event(cuts: CutList, cut: Cut, number: int) -> list[str]:
    placed, end = cuts.timecode(cut.placed), cuts.timecode(cut.placed + cut.length)
    tracks = "AA/V" if cut.info.sound else "V"
    return [
        f"{number:03d}  {REEL:<8} {tracks:<5} C        {' '.join(cut.timecodes)} {placed} {end}",
        f"* FROM CLIP NAME: {cut.name}",
        f"* COMMENT: {cut.note}",
        f"* LOC: {placed} {'YELLOW' if cut.is_uncertain else 'GREEN':<7} {cut.note}",
        "",
    ]

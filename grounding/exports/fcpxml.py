"""Final Cut Pro's XML, version 1.8, which DaVinci Resolve reads too."""

from fractions import Fraction
from xml.etree import ElementTree

from grounding.exports.cut_list import Cut, CutList
from grounding.text import escape_unprintable

VERSION = "1.8"
NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))  # the characters that XML cannot hold and `escape_unprintable` leaves


def fcpxml_from_cuts(cuts: CutList, title: str) -> str:
    """The text of a project with one sequence: a clip for each cut, with the query as a marker and a note."""
    root = ElementTree.Element("fcpxml", version=VERSION)
    resources = ElementTree.SubElement(root, "resources")
    formats = {key: f"r{number}" for number, key in enumerate(_formats(cuts), start=1)}
    for (rate, width, height), name in formats.items():
        size = {"id": name, "frameDuration": _time(1 / rate), "width": str(width), "height": str(height)}
        ElementTree.SubElement(resources, "format", size)
    assets: dict[str, str] = {}
    for cut in cuts.cuts:
        if cut.moment.video not in assets:
            assets[cut.moment.video] = f"r{len(formats) + len(assets) + 1}"
            _add_asset(resources, cut, assets[cut.moment.video], formats[_format(cut)])
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name=_text(title))
    project = ElementTree.SubElement(event, "project", name=_text(title))
    sequence = ElementTree.SubElement(
        project,
        "sequence",
        format=next(name for (rate, _, _), name in formats.items() if rate == cuts.rate),
        duration=_time(cuts.length / cuts.rate),
        tcStart=_time(cuts.origin / cuts.rate),
        tcFormat=_timecode_format(cuts.drop),
    )
    spine = ElementTree.SubElement(sequence, "spine")
    for cut in cuts.cuts:
        _add_clip(spine, cuts, cut, assets[cut.moment.video])
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _formats(cuts: CutList) -> list[tuple[Fraction, int, int]]:
    return list(dict.fromkeys(_format(cut) for cut in cuts.cuts))


def _format(cut: Cut) -> tuple[Fraction, int, int]:
    return cut.rate, cut.info.width, cut.info.height


def _add_asset(resources: ElementTree.Element, cut: Cut, name: str, media_format: str) -> None:
    facts = {
        "id": name,
        "name": _text(cut.name),
        "src": cut.uri,
        "start": _time(cut.origin / cut.rate),
        "duration": _time(cut.media_length / cut.rate),
        "hasVideo": "1",
        "format": media_format,
    }
    sound = {"hasAudio": "1", "audioSources": "1", "audioChannels": "2"} if cut.info.sound else {}
    ElementTree.SubElement(resources, "asset", facts | sound)


def _add_clip(spine: ElementTree.Element, cuts: CutList, cut: Cut, asset: str) -> None:
    """All times are whole frames: of the clip where it begins, of the timeline where and how long it is."""
    start, length = _time((cut.origin + cut.first) / cut.rate), _time(cut.length / cuts.rate)
    clip = ElementTree.SubElement(
        spine,
        "asset-clip",
        ref=asset,
        name=_text(cut.name),
        offset=_time((cuts.origin + cut.placed) / cuts.rate),
        start=start,
        duration=length,
        tcFormat=_timecode_format(cut.drop),
    )
    ElementTree.SubElement(clip, "note").text = _text(cut.note)
    ElementTree.SubElement(clip, "marker", start=start, duration=_time(1 / cuts.rate), value=_text(cut.note))


def _time(seconds: Fraction) -> str:
    """A time as FCPXML writes it, a fraction of whole numbers."""
    return f"{seconds.numerator}/{seconds.denominator}s" if seconds.denominator > 1 else f"{seconds.numerator}s"


def _text(text: str) -> str:
    return escape_unprintable(text).translate(NO_XML)


def _timecode_format(drop: bool) -> str:
    return "DF" if drop else "NDF"

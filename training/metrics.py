"""R@n at IoU m and mIoU, as the field defines them (Gao et al., TALL, ICCV 2017)."""

from collections.abc import Sequence
from itertools import pairwise

from grounding.segments.find import Span, compute_iou

THRESHOLDS = (0.3, 0.5, 0.7)


def compute_recalls(predictions: Sequence[Sequence[Span]], moments: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Percentages over queries: `R@n,IoU=m` for n in 1 and 5, and `mIoU` of the first segment.

    Args:
        predictions: for each query its segments, best first; at most five count.
        moments: for each query its true spans, at least one; a segment counts by the one that it fits best, as in
            the evaluation of QVHighlights (Lei et al., NeurIPS 2021).

    Raises:
        ValueError: the two differ in length, or there is no query.
    """
    if len(predictions) != len(moments) or not moments:
        raise ValueError(f"{len(predictions)} predictions for {len(moments)} moments: give one for each, at least one.")
    ious = [
        [max(compute_iou(span, moment) for moment in true) for span in spans]
        for spans, true in zip(predictions, moments, strict=True)
    ]
    table = {
        f"R@{n},IoU={m}": 100 * sum(max(row[:n], default=0.0) >= m for row in ious) / len(ious)
        for n in (1, 5)
        for m in THRESHOLDS
    }
    table["mIoU"] = 100 * sum(row[0] if row else 0.0 for row in ious) / len(ious)
    return {name: round(value, 2) for name, value in table.items()}


def count_overlapping(predictions: Sequence[Sequence[Span]]) -> float:
    """Percentage of the lists in which two segments overlap; predictions as in `compute_recalls`."""
    lists = [sorted(spans) for spans in predictions]
    overlapping = sum(any(after[0] < before[1] for before, after in pairwise(spans)) for spans in lists)
    return round(100 * overlapping / len(lists), 2)

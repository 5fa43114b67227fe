"""The curve of matching scores that segments are read off: smoothed, sharpened, and where it crosses a threshold."""

import numpy as np

LATE = 2.0  # usual steps after which the next frame shows that the one before was held
SURE = 1e-6  # how near to 0 or 1 a score may come before its odds are taken
MOST_CROSSINGS = 200  # so that windows, which pair boundaries, do not grow with the square of the length


def edges_from_timestamps(timestamps: np.ndarray, duration: float) -> np.ndarray:
    """Where each frame's stretch begins and ends: (T,) seconds give (T + 1,).

    Edges lie midway between neighbours. A frame that the next one follows late was held on the screen: its stretch
    reaches to half a usual step before the next. Before a first frame that comes later than after a usual step,
    there was nothing to see.
    """
    gaps = np.diff(timestamps)  # (T - 1,)
    step = usual_step(timestamps)
    first = timestamps[0] if timestamps[0] > step else 0.0
    before = np.where(gaps > LATE * step, step, gaps) / 2  # (T - 1,)
    return np.concatenate([[first], timestamps[1:] - before, [duration]])  # (T + 1,)


def usual_step(timestamps: np.ndarray) -> float:
    """Median of the seconds between neighbours; 1 for a single frame."""
    if len(timestamps) < 2:
        return 1.0
    gaps = np.sort(np.diff(timestamps))  # (T - 1,); np.median takes ten times as long, and this is asked often
    return float((gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) / 2)


def repeat_held_frames(timestamps: np.ndarray, reach: int) -> np.ndarray:
    """Which frame is on the screen at each usual step: indices, in order, each frame once, and held ones repeatedly.

    What looks `reach` steps to either side sees no more of a frame than 2 * reach + 1 of its repetitions, so there are
    no more.
    """
    gaps = np.diff(timestamps, append=timestamps[-1:])  # (T,)
    step = usual_step(timestamps)
    held = np.where(gaps > LATE * step, np.round(gaps / step), 1)  # (T,)
    return np.repeat(np.arange(len(timestamps)), np.clip(held, 1, 2 * reach + 1).astype(int))


class Smoother:
    """Gaussian smoothing of curves over the same frames, cut off at three standard deviations.

    A frame that is held counts for as long as it is.

    Args:
        timestamps: (T,) seconds.
        sigma: standard deviation in seconds; 0 leaves curves as they are.
    """

    def __init__(self, timestamps: np.ndarray, sigma: float) -> None:
        self._is_off = sigma <= 0 or len(timestamps) < 2
        if self._is_off:
            return
        step = usual_step(timestamps)
        reach = max(1, round(3 * sigma / step))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sigma) ** 2)
        self._kernel = kernel / kernel.sum()

        # At each step the frame that is on the screen; beyond the ends, the first and the last.
        self._index = repeat_held_frames(timestamps, reach)  # (G,)
        self._shown = np.pad(self._index, reach, mode="edge")  # (reach + G + reach,)
        self._steps = np.bincount(self._index)  # (T,)

    def smooth(self, scores: np.ndarray, free: np.ndarray | None = None) -> np.ndarray:
        """(T,) scores give (T,); frames that `free` (T,) bool leaves out spread to none."""
        if self._is_off:
            return scores
        if free is None:
            values = self._spread(scores)  # (G,)
        else:
            values = self._spread(scores * free) / np.maximum(self._spread(free.astype(float)), 1e-12)  # (G,)

        # A held frame's value is the mean over its steps.
        return np.bincount(self._index, values) / self._steps if len(values) > len(scores) else values  # (T,)

    def _spread(self, row: np.ndarray) -> np.ndarray:
        return np.convolve(row[self._shown], self._kernel, "valid")  # (G,)


def smooth(timestamps: np.ndarray, scores: np.ndarray, sigma: float, free: np.ndarray | None = None) -> np.ndarray:
    """A single curve, (T,) and (T,) give (T,): see Smoother."""
    return Smoother(timestamps, sigma).smooth(scores, free)


def sharpen(scores: np.ndarray, power: float) -> np.ndarray:
    """The odds of the scores to a power, (T,), 1 at the highest: a softmax of the logits over time, but for its sum.

    Scores rise little where many frames match, so that half a video may stand out from the rest by a hair. Odds tell
    the frames apart that match best.
    """
    if power <= 0:
        return scores
    logits = logits_from_scores(scores)  # (T,)
    return np.exp(power * (logits - logits.max()))  # (T,)


def logits_from_scores(scores: np.ndarray) -> np.ndarray:
    """Log odds of scores in [0, 1], of any shape; scores of 0 and 1 give no infinity."""
    sure = np.clip(scores.astype(np.float64), SURE, 1 - SURE)
    return np.log(sure / (1 - sure))


def find_crossings(scores: np.ndarray, thresholds: tuple[float, ...], free: np.ndarray | None = None) -> np.ndarray:
    """Edges where the curve crosses a threshold, the MOST_CROSSINGS steepest: i lies between frames i - 1 and i.

    Thresholds are shares of the way from the lowest to the highest score, of the frames in `free` (T,) bool if given.
    """
    among = scores if free is None else scores[free]
    levels = among.min() + np.array(thresholds)[:, None] * np.ptp(among)  # (K, 1)
    crossed = np.flatnonzero(np.diff(scores >= levels, axis=1).any(axis=0)) + 1
    steepness = np.abs(scores[crossed] - scores[crossed - 1])
    return np.sort(crossed[np.argsort(-steepness, kind="stable")[:MOST_CROSSINGS]])


def find_runs(
    edges: np.ndarray, curve: np.ndarray, strength: np.ndarray, thresholds: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last edge index and mean score of every stretch above a threshold, (W,) each.

    Args:
        edges: (T + 1,) seconds.
        curve: (T,) smoothed scores.
        strength: (T + 1,) changes at the edges; where there are any, the curve is averaged between them first.
        thresholds: shares of the way from the lowest to the highest score.
    """
    # Between changes the picture is one scene, so one height.
    length = np.diff(edges)  # (T,)
    level = average_between_changes(curve, length, strength)  # (T,)

    # A stretch begins where the curve rises over the threshold and ends where it falls below; each counts once.
    found: set[tuple[int, int]] = set()
    for threshold in thresholds:
        above = level >= level.min() + threshold * np.ptp(level)  # (T,)
        turns = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]))).tolist()
        found |= set(zip(turns[::2], turns[1::2], strict=True))

    first, last = np.array(sorted(found)).T  # (W,) each
    total = np.concatenate([[0.0], np.cumsum(level * length)])  # (T + 1,)
    return first, last, (total[last] - total[first]) / (edges[last] - edges[first])


def average_between_changes(curve: np.ndarray, length: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The curve (T,) with its mean over each stretch between two changes; unchanged where there are none."""
    if not strength.any():
        return curve
    piece = np.cumsum(strength[:-1] > 0)  # (T,), counts the changes up to each frame
    return (np.bincount(piece, curve * length) / np.maximum(np.bincount(piece, length), 1e-9))[piece]  # (T,)

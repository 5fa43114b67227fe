"""Load: many programs ask the served app at once, on this machine's loopback address, and some leave mid-way."""

import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import httpx
import numpy as np
from gradio_client import Client, handle_file
from gradio_client.utils import Status

from grounding.app.temp_folder import temp_folder
from tests.clips import write_scenes, write_video
from tests.trust.report import Row
from tests.trust.served import App, eventually, only_here, served

QUERIES = ("a cat", "a rocket", "a cup of coffee", "an astronaut")
SCENES = (("chelsea", "rocket"), ("coffee", "astronaut"), ("astronaut", "chelsea"), ("rocket", "coffee", "astronaut"))
PATIENCE = 300.0  # seconds for one answer


@dataclass(frozen=True)
class Plan:
    """How many programs ask for how many seconds.

    Attributes:
        warm_up: seconds for which they ask before, so that what is taken once is taken.
        leave_every: which of a program's requests it does not wait for; 0 is none.
        minutes: how long the app keeps a clip of which it heard no more than that it was uploaded.
        long: frames of the clip of which somebody leaves a half.
    """

    clients: int = 16
    seconds: float = 120.0
    warm_up: float = 30.0
    leave_every: int = 5
    minutes: float = 1.0
    long: int = 1600


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        seconds: how long each right answer took.
        wrong, lost, left: how many answers were others than those given alone, did not come, were not waited for.
        places: how often a client was told its place in the queue.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    left: int = 0
    places: int = 0

    @property
    def asked(self) -> int:
        """How many answers were waited for."""
        return len(self.seconds) + len(self.wrong) + len(self.lost)

    def told(self) -> str:
        """In words."""
        times = np.quantile(self.seconds or [0.0], (0.5, 0.95))
        failed = f"{len(self.wrong)} wrong, {len(self.lost)} lost"
        return "; ".join([failed, f"median {times[0]:.1f} s, 95% {times[1]:.1f} s", *(self.wrong + self.lost)[:1]])


def make_clips(folder: Path) -> list[Path]:
    """A few seconds each of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_scenes(folder / f"{number}.mp4", names, seconds=2.0) for number, names in enumerate(SCENES)]


def long_clip(folder: Path, frames: int) -> Path:
    """Noise, two frames a second, so that every frame has to be encoded."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (32, 48, 3), dtype=np.uint8) for _ in range(frames)]
    return write_video(folder / "long.mp4", images, fps=2)


def ask(client: Client, clip: Path, query: str, seen: Seen | None = None) -> dict[str, Any]:
    """An answer of the endpoint; notes in `seen` whether the place in the queue was told."""
    job = client.submit(video=handle_file(str(clip)), query=query, api_name="/ground")
    end = time.monotonic() + PATIENCE
    while not job.done() and time.monotonic() < end:
        if seen and job.status().rank is not None:
            seen.places += 1
        time.sleep(0.02)
    return job.result(timeout=1.0)


def leave(address: str, clip: Path, query: str, after: float) -> None:
    """Asks as the page does, and is gone after so many seconds, as when a laptop is shut."""
    with httpx.Client(base_url=f"{address}gradio_api/", timeout=60.0) as http:
        session, ground = token_hex(8), endpoint(address)
        with http.stream("GET", f"heartbeat/{session}") as alive:
            next(alive.iter_lines())
            with open(clip, "rb") as file:
                path = http.post("upload", files={"files": (clip.name, file)}).json()[0]
            data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, query, "embedded", 5, None]
            http.post("queue/join", json={"data": data, "fn_index": ground, "session_hash": session})
            with http.stream("GET", "queue/data", params={"session_hash": session}):
                time.sleep(after)


def endpoint(address: str) -> int:
    """The number of /ground."""
    functions = httpx.get(f"{address}config", timeout=60.0).json()["dependencies"]
    return next(function["id"] for function in functions if function["api_name"] == "ground")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers are the same, but for the last digits of a float."""
    close = np.allclose(one["scores"], other["scores"], atol=1e-3) if len(one["scores"]) == len(other["scores"]) else 0
    spans = [[(part["start"], part["end"]) for part in answer["segments"]] for answer in (one, other)]
    return bool(close) and one["query"] == other["query"] and one["video"] == other["video"] and spans[0] == spans[1]


def behave(number: int, address: str, clips: Sequence[Path], alone: dict, plan: Plan, seen: Seen) -> None:
    """One client, until the time is over."""
    rng, client, count = random.Random(number), Client(address, verbose=False), 0
    end = time.monotonic() + plan.seconds
    while time.monotonic() < end:
        clip, query, count = rng.choice(clips), rng.choice(QUERIES), count + 1
        if plan.leave_every and (count + number) % plan.leave_every == 0:
            leave(address, clip, query, rng.uniform(0.05, 0.5))
            seen.left += 1
            continue
        begin = time.monotonic()
        try:
            answer = ask(client, clip, query, seen)
        except Exception as error:  # whatever it is, this answer is lost
            seen.lost.append(f"{clip.name}, {query}: {type(error).__name__}: {error}")
            continue
        if same(answer, alone[clip, query]):
            seen.seconds.append(time.monotonic() - begin)
        else:
            seen.wrong.append(f"{clip.name}, {query}")
    client.close()


def answers_alone(address: str, clips: Sequence[Path]) -> dict[tuple[Path, str], dict[str, Any]]:
    """What each clip and query gets while nobody else is there."""
    client = Client(address, verbose=False)
    alone = {(clip, query): ask(client, clip, query) for clip in clips for query in QUERIES}
    client.close()
    return alone


def crowd(app: App, clips: Sequence[Path], alone: dict, plan: Plan) -> tuple[Seen, float]:
    """Many clients at once. Returns what they saw, and the most memory that the app had meanwhile."""
    seen, memory, over = Seen(), [app.memory()], Event()

    def watch() -> None:
        while not over.wait(0.5):
            memory.append(app.memory())

    watching = Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(plan.clients) as pool:
        done = [pool.submit(behave, n, app.address, clips, alone, plan, seen) for n in range(plan.clients)]
    over.set()
    watching.join()
    for each in done:
        each.result()
    return seen, max(memory)


def freed(app: App, clip: Path, short: Path) -> tuple[float, float]:
    """Seconds that a long clip takes, and that a short one takes to which somebody left a half-done long one."""
    begin = time.monotonic()
    client = Client(app.address, verbose=False)
    ask(client, clip, QUERIES[0])
    client.close()  # or the long one would be remembered
    whole, client = time.monotonic() - begin, Client(app.address, verbose=False)
    leave(app.address, clip, QUERIES[0], after=min(2.0, whole / 10))
    begin = time.monotonic()
    ask(client, short, QUERIES[0])
    client.close()
    return whole, time.monotonic() - begin


def place_told(app: App, long: Path, short: Path) -> bool:
    """Whether a program that comes while a long clip is at work is told its place in the queue."""
    first, second, seen = Client(app.address, verbose=False), Client(app.address, verbose=False), Seen()
    at_work = first.submit(video=handle_file(str(long)), query=QUERIES[0], api_name="/ground")
    eventually(lambda: at_work.done() or at_work.status().code in (Status.PROCESSING, Status.ITERATING), PATIENCE)
    ask(second, short, QUERIES[0], seen)
    at_work.cancel()
    for client in (first, second):
        client.close()
    return seen.places > 0


def trial(work: Path, plan: Plan) -> list[Row]:
    """All of it, as rows."""
    clips, long = make_clips(work / "clips"), long_clip(work / "clips", plan.long)
    with served(work / "temporary", "--keep-minutes", str(plan.minutes)) as app:
        here, alone = only_here(app), answers_alone(app.address, clips)
        crowd(app, clips, alone, replace(plan, seconds=plan.warm_up))
        before = app.memory()
        seen, peak = crowd(app, clips, alone, plan)
        eventually(lambda: not app.clips(), 60.0 + 90.0 * plan.minutes * bool(plan.leave_every))
        left, after = len(app.clips()), app.memory()
        told = place_told(app, long, clips[0])
        whole, freed_in = freed(app, long, clips[0])
        app.stop(hard=True)
    kinds = f"{len(clips)} clips, {len(QUERIES)} queries"
    what = f"requests of {plan.clients} programs at once for {plan.seconds:.0f} s, {kinds}"
    memory = f"{before:.0f} MB before, {peak:.0f} at most, {after:.0f} after"
    given_up = f"a clip of {whole:.1f} s of work was given up, and the next answer came after {freed_in:.1f} s"
    return [
        Row(what, seen.asked, len(seen.seconds), seen.told()),
        Row("the place in the queue is told", 1, int(told), f"{seen.places} times in the crowd"),
        Row("the app's memory afterwards", 1, int(after < 1.1 * before), memory),
        Row("files of visitors after the last has left", 1, int(not left), f"{seen.left} left mid-way"),
        Row("the work of one who left mid-way", 1, int(freed_in < whole / 2), given_up),
        Row("the app listens on 127.0.0.1 alone", 1, int(here)),
        Row("temporary files after kill -9 and another start", 1, int(swept(work / "temporary"))),
    ]


def swept(folder: Path) -> bool:
    """Whether the next process leaves nothing of one that was killed."""
    before = set(folder.glob("grounding-*/*/"))
    with patch.dict(os.environ, GRADIO_TEMP_DIR=str(folder)), temp_folder(60.0):
        return bool(before) and not any(path.exists() for path in before)


def run(work: Path) -> list[Row]:
    """Sixteen clients, two minutes."""
    return trial(work, Plan())

"""What a stranger may send to the served app: names of files, queries, and calls that do not fit."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import httpx

from tests.clips import RED, plain, write_video
from tests.trust.report import Row
from tests.trust.texts import NAMES, QUERIES

FILE = {"_type": "gradio.FileData"}


OUTSIDE = (  # paths of files that are none of the visitor's
    "/etc/passwd",
    "../../etc/passwd",
    __file__,
    "app.py",
    "/proc/self/environ",
    "file:///etc/passwd",
    "",
    "http://127.0.0.1:9/a.mp4",
    "http://169.254.169.254/latest/meta-data",
    7,
    None,
    ["a"],
)


def calls(video: dict) -> list[list[object]]:
    """Arguments of /ground that do not fit it, of which some try to read files of the server."""
    files = [{"path": path, "meta": FILE} for path in OUTSIDE]
    videos = [
        "clip.mp4",
        None,
        7,
        [],
        {},
        [video, video],
        {"path": "/etc/passwd"},
        True,
        "data:video/mp4;base64,AAAA",
        *files,
    ]
    numbers = ["many", "5", None, -1, 0, 2.5, 1e308, -(10**30), 10**30, [5], {"a": 1}, True, ""]
    checkpoints = [
        "nonsense",
        "../checkpoints/embedded",
        "/etc",
        "embedded/../embedded",
        "embedded\x00",
        "",
        None,
        7,
        ["embedded"],
        "<b>embedded</b>",
        "x" * 100_000,
    ]
    queries = [None, 7, ["a cat"], {"a": 1}, True]
    return [
        *([other, "a cat", "embedded", 1] for other in videos),
        *([video, "a cat", "embedded", number] for number in numbers),
        *([video, "a cat", checkpoint, 1] for checkpoint in checkpoints),
        *([video, query, "embedded", 1] for query in queries),
        *([video, "a cat", "embedded", 1][:count] for count in range(4)),
        [video, "a cat", "embedded", 1, "one", "too", "many"],
    ]


class Visitor:
    """A program that speaks to the app at `address` without a client that would keep it from mistakes."""

    def __init__(self, address: str, clip: Path) -> None:
        self.http = httpx.Client(base_url=f"{address.rstrip('/')}/gradio_api", timeout=120)
        self.clip = clip.read_bytes()

    def upload(self, name: str) -> httpx.Response:
        """Sends the clip under a name, byte for byte as it is, in a form."""
        head = b'--cut\r\nContent-Disposition: form-data; name="files"; filename="'
        body = (
            head
            + name.encode().replace(b'"', b"%22")
            + b'"\r\nContent-Type: video/mp4\r\n\r\n'
            + self.clip
            + b"\r\n--cut--\r\n"
        )
        return self.http.post("/upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=cut"})

    def given(self, name: str) -> dict:
        """The clip as an argument of /ground. Raises ValueError where the upload was refused."""
        reply = self.upload(name)
        if reply.status_code != 200:
            raise ValueError(reply.text)
        return {"path": reply.json()[0], "meta": FILE}

    def ground(self, arguments: list[object]) -> tuple[str, object]:
        """How the call ends, "complete" or "error", and what comes with it."""
        asked = self.http.post(
            "/call/ground", content=json.dumps({"data": arguments}), headers={"Content-Type": "application/json"}
        )
        if asked.status_code != 200:
            return "refused", asked.text if asked.status_code < 500 else None
        lines = self.http.get(f"/call/ground/{asked.json()['event_id']}").text.split("\n")
        kind, data = lines[-4].removeprefix("event: "), json.loads(lines[-3].removeprefix("data: "))
        return kind, data["error"] if kind == "error" else data[0]


@contextmanager
def visiting(work: Path) -> Iterator[Visitor]:
    """A visitor of an app that is served for them."""
    import app

    page = app.serve(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        yield Visitor(page.local_url, write_video(work / "clip.mp4", [plain(RED)] * 10))
    finally:
        page.close()


def run(work: Path) -> list[Row]:
    """A row each for names, queries and calls."""
    from tests.trust.inputs import row

    with visiting(work) as visitor:
        return [
            row("names of uploaded files", named(visitor, NAMES)),
            row("queries", asked(visitor, QUERIES)),
            row("calls of the endpoint that do not fit", called(visitor)),
        ]


def named(visitor: Visitor, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        with quiet() as printed:
            yield repr(name)[:40], wrong_name(visitor, name) or printed()


def wrong_name(visitor: Visitor, name: str) -> str:
    """What is wrong with how a name is taken: it has to stay a name, in the uploads."""
    try:
        video = visitor.given(name)
    except ValueError as refused:
        return "" if len(str(refused)) < 500 else "a long refusal"
    if ".." in Path(video["path"]).parts or not Path(video["path"]).is_file():
        return f"kept at {video['path']}"
    kind, said = visitor.ground([video, "a cat", "embedded", 1])
    if kind == "error":
        return unclear(said)
    return f"shown as {said['video']!r}" if "/" in said["video"] else ""


def asked(visitor: Visitor, queries: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    video = visitor.given("clip.mp4")
    for query in queries:
        with quiet() as printed:
            kind, said = visitor.ground([video, query, "embedded", 1])
            yield repr(query)[:40], printed() or wrong_answer(query, kind, said)


def wrong_answer(query: str, kind: str, said: object) -> str:
    """What is wrong with how a call ended: an answer has to be that of its query, anything else one clear message."""
    if kind != "complete":
        return unclear(said)
    return "" if said["query"] == query.strip() and said["segments"] else f"answered as {said['query']!r}"


def called(visitor: Visitor) -> Iterator[tuple[str, str]]:
    for arguments in calls(visitor.given("clip.mp4")):
        with quiet() as printed:
            kind, said = visitor.ground(arguments)
            text = json.dumps(said)
            leaked = "root:" in text or "PATH=" in text or "def " in text
            yield (
                repr(arguments)[:80],
                "leaks" if leaked else printed() or ("" if kind == "complete" else unclear(said)),
            )


def unclear(said: object) -> str:
    """Why a message is none: it has to be one short line of text."""
    fine = isinstance(said, str) and 0 < len(said) < 500 and said.isprintable()
    return "" if fine else f"said {str(said)[:200]!r}"


@contextmanager
def quiet() -> Iterator:
    """Keeps what the server prints as errors; gives a way to ask for its last line."""
    text = io.StringIO()
    with redirect_stderr(text):
        yield lambda: f"printed {text.getvalue().splitlines()[-1]}" if "Traceback" in text.getvalue() else ""

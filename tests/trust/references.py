"""Files and names that point to other files and addresses, none of which may be read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.clips import GREEN, RED, plain, write_video

GREENISH = 100  # the mean of the green channel in the secret's pictures is above it, in all others below


class Secret:
    """A clip that nobody may see, in a folder and at an address of its own.

    Attributes:
        path: the file.
        url: where a listener on this machine would hand it out.
        asked: what it was asked for.
    """

    def __init__(self, path: Path, port: int, asked: list[str]) -> None:
        self.path, self.url, self.asked = path, f"http://127.0.0.1:{port}/{path.name}", asked


@contextmanager
def secret(folder: Path) -> Iterator[Secret]:
    """The secret, while somebody listens at its address."""
    asked: list[str] = []
    path = write_video(folder / "secret.ts", [plain(GREEN)] * 20, codec="mpeg4")

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Secret(path, server.server_port, asked)
    finally:
        server.shutdown()
        server.server_close()


def pointers(folder: Path, hidden: Secret) -> list[str]:
    """Paths as someone might give them: scripts that name the secret, and names that are protocols or patterns."""
    made = [str(script(folder, name, text)) for name, text in scripts(hidden).items()]
    made += [str(external(folder / f"dref-{number}.mov", target)) for number, target in enumerate(targets(hidden))]
    made += [f"{protocol}{hidden.path}" for protocol in ("file:", "concat:", "subfile,,start,0,end,0,,:", "crypto:")]
    made += [f"concat:{hidden.path}|{hidden.path}", hidden.url, f"tcp://{hidden.url[7:]}", "lavfi:testsrc"]
    made += [str(folder / "link.mp4")]
    (folder / "link.mp4").symlink_to(folder / "hls-0.mp4")
    return made + [str(folder / "%03d.png"), str(folder / "*.ts"), "pipe:0", "/dev/stdin", "data:video/mp4;base64,AAAA"]


def scripts(hidden: Secret) -> dict[str, str]:
    """Texts by the names they are given; each twice over, with the path and with the address."""
    made = {}
    for kind, target in enumerate(targets(hidden)):
        made |= {
            f"hls-{kind}.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
            f"hls-{kind}.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
            f"concat-{kind}.ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
            f"concat-{kind}.mkv": f"ffconcat version 1.0\nfile '{target}'\n",
            f"list-{kind}.pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
            f"list-{kind}.asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
            f"manifest-{kind}.mpd": f"<MPD><Period><BaseURL>{target}</BaseURL></Period></MPD>",
            f"movie-{kind}.smil": f'<smil><body><video src="{target}"/></body></smil>',
            f"call-{kind}.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
            f"link-{kind}.url": f"[InternetShortcut]\nURL={target}\n",
            f"qtlink-{kind}.mov": f'<?xml version="1.0"?><?quicktime type="application/x-quicktime-media-link"?>'
            f'<embed src="{target}"/>',
        }
    heads = {"ftyp": b"\0\0\0\x14ftypisom\0\0\0\0isom", "ts": b"G" + b"\n" * 187 + b"G", "flv": b"FLV\n"}
    return made | {
        f"behind-{name}.mp4": head.decode("latin1") + f"\n#EXTM3U\n#EXTINF:2,\n{hidden.path}\nfile {hidden.path}\n"
        for name, head in heads.items()
    }


def targets(hidden: Secret) -> list[str]:
    return [str(hidden.path), hidden.url]


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode("latin1"))
    return path


def external(path: Path, target: str) -> Path:
    """A QuickTime file whose track says that its data lies elsewhere: its data reference holds `target`."""
    data = bytearray(write_video(path, [plain(RED)] * 20, codec="mpeg4").read_bytes())
    dref = data.index(b"dref")
    entry = dref + 12  # behind version, flags and the number of entries
    old = int.from_bytes(data[entry : entry + 4], "big")
    body = b"url \0\0\0\0" + target.encode() + b"\0"  # flags 0: not in this file
    new = (len(body) + 4).to_bytes(4, "big") + body
    data[entry : entry + old] = new
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):  # each holds the one before
        place = data.rindex(box, 0, dref + 4) - 4
        grown = int.from_bytes(data[place : place + 4], "big") + len(new) - old
        data[place : place + 4] = grown.to_bytes(4, "big")
    path.write_bytes(data)
    return path

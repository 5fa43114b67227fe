"""The files that are measured, made with ffmpeg: a moving test picture with noise, and a cut every five seconds."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

PIECE = 90  # seconds that are encoded; longer files repeat them


@dataclass(frozen=True)
class Video:
    """What a file holds: seconds, pixels (height; 16:9), frames a second, the codec, "h264" or "hevc", and seconds
    between key frames, 0 for as the encoder likes."""

    seconds: int
    height: int = 720
    fps: int = 30
    codec: str = "h264"
    apart: int = 0

    @property
    def name(self) -> str:
        length = f"{self.seconds} s" if self.seconds < 600 else f"{self.seconds // 60} min"
        keys = f" key frames {self.apart} s apart" if self.apart else ""
        return f"{length} {self.height}p{self.fps} {self.codec}{keys}"

    def file(self, folder: Path) -> Path:
        """The file in `folder`, made if it is not there."""
        path = folder / f"{self.name.replace(' ', '_')}.mp4"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part.mp4")
            _ffmpeg(*self._source(folder), "-t", str(self.seconds), str(unfinished))
            unfinished.rename(path)
        return path

    def _source(self, folder: Path) -> list[str]:
        if self.seconds > PIECE:
            piece = Video(PIECE, self.height, self.fps, self.codec, self.apart).file(folder)
            return ["-stream_loop", "-1", "-i", str(piece), "-c", "copy"]
        width = round(self.height * 16 / 9 / 2) * 2
        cuts = "hue=h='97*floor(t/5)',negate=enable='lt(mod(t,10),5)',noise=alls=8:allf=t"
        picture = f"testsrc2=s={width}x{self.height}:r={self.fps},{cuts},format=yuv420p"
        encoder = {"h264": ["libx264"], "hevc": ["libx265", "-x265-params", "log-level=error"]}[self.codec]
        keys = ["-g", str(self.apart * self.fps), "-sc_threshold", "0"] if self.apart else []
        return ["-f", "lavfi", "-i", picture, "-c:v", *encoder, *keys, "-preset", "veryfast", "-crf", "28"]


FIRST, LONG = Video(90), Video(7200, 360, apart=10)
QUICK = (FIRST, Video(90, 360))
FULL = (*QUICK, Video(90, codec="hevc"), Video(600), Video(600, 360), LONG)
CLIP = (FIRST, Video(90, 360))
GROWTH = {
    "length": (Video(90, 360), Video(600, 360), LONG),
    "resolution": (Video(90, 360), FIRST, Video(90, 1080)),
    "frame rate": (FIRST, Video(90, fps=60)),
}


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)

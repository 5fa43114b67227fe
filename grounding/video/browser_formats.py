"""What every browser plays as it is."""

# The suffix decides which type a browser is told. Codecs by the name of their decoder.
PLAYABLE = {
    ".mp4": ("mp4", {"h264", "av1", "libdav1d"}, {"aac", "mp3", "mp3float"}),
    ".m4v": ("mp4", {"h264"}, {"aac", "mp3", "mp3float"}),
    ".webm": ("webm", {"vp8", "vp9", "av1", "libdav1d"}, {"opus", "vorbis"}),
}
PIXELS = ("yuv420p", "yuvj420p")  # 8 bits; not every browser takes more


def is_playable(suffix: str, container: str, picture: str, pixels: str, sounds: set[str]) -> bool:
    """Whether every browser plays such a file. AV1 counts, which Apple's devices play from 2023 on.

    Args:
        suffix: of the file's name.
        container: ffmpeg's name of its format.
        picture, sounds: names of the decoders of its tracks.
        pixels: ffmpeg's name of the format of its pictures.
    """
    if suffix.lower() not in PLAYABLE:
        return False
    containers, pictures, played_sounds = PLAYABLE[suffix.lower()]
    return containers in container and picture in pictures and pixels in PIXELS and sounds <= played_sounds

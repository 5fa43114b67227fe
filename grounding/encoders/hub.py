"""Weights that open_clip publishes on the hub: found in its cache, asked for, fetched, and given up in time."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any

from grounding.errors import EncoderError

HUB_TIMEOUT = 3.0  # seconds for each address of the hub; a firewall that drops packets makes us wait for all of them
HUB_DOWNLOAD = 900.0  # seconds for a whole download; where the hub falls silent, its client would go on for as long
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # open_clip's names, in its order


def published(pretrained: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The repository on the hub, and the names that its file may have."""
    repository, file = os.path.split(pretrained["hf_hub"])
    return repository, (file,) if file else HUB_FILES


def cached(repository: str, files: tuple[str, ...]) -> str | None:
    """Path of the first of these files that is in the hub's cache, None where none is there yet."""
    import huggingface_hub

    paths = (huggingface_hub.try_to_load_from_cache(repository, file) for file in files)
    return next((path for path in paths if isinstance(path, str)), None)


def unreachable(repository: str) -> Exception | None:
    """Why the hub does not answer for a repository, None if it does. HF_HUB_OFFLINE counts as no answer."""
    import huggingface_hub

    try:
        huggingface_hub.model_info(repository, timeout=HUB_TIMEOUT)
    except Exception as error:  # which classes these are depends on the hub client's version and its HTTP library
        return error
    return None


def fetch(name: str, pretrained: Mapping[str, Any]) -> str:
    """Path of the weights that open_clip publishes on the hub: from the local cache, else downloaded.

    Args:
        name: the encoder's name, for messages.
        pretrained: open_clip's entry for the model and tag.

    Raises:
        EncoderError: the hub is out of reach, or does not give the file. Says so within seconds: the hub's own client
            would retry each file for 23 s, so one plain request asks first whether there is a way at all.
    """
    from open_clip.pretrained import download_pretrained

    repository, files = published(pretrained)
    if path := cached(repository, files):
        return path
    try:
        if (reason := unreachable(repository)) is not None:
            raise reason
        return within(HUB_DOWNLOAD, lambda: download_pretrained(dict(pretrained)))
    except Exception as error:
        raise EncoderError(
            f"The weights of {name} could not be fetched from the hub ({first_line(error)}). Use the checkpoint "
            f"'embedded', which needs no download, or give a local file, {files[0]} of {repository}: weights=PATH in "
            "Python, --weights PATH on the command line."
        ) from error


def within(seconds: float, work: Callable[[], str]) -> str:
    """What `work` returns. Raises what it raises, and TimeoutError if it takes longer, when it is left to itself."""
    done: Future[str] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # whatever it is, the caller has to know
            done.set_exception(error)

    Thread(target=do, name="within", daemon=True).start()
    return done.result(seconds)


def first_line(error: Exception) -> str:
    """What an error says, short enough for a sentence of ours."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:100]}"

import argparse
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grounding.text import (
    describe_skipped,
    escape_markup,
    escape_unprintable,
    format_clock,
    format_rough_duration,
    shorten,
    stop_quietly,
)

TRAINING = Path(__file__).parents[1] / "training"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00.0"),
        (9.96, "0:10.0"),
        (59.97, "1:00.0"),
        (65.54, "1:05.5"),
        (3599.94, "59:59.9"),
        (3599.97, "1:00:00.0"),
        (3725, "1:02:05.0"),
        (36_610, "10:10:10.0"),
    ],
)
def test_clock(seconds, shown):
    assert format_clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "about 1 s"), (7.4, "about 7 s"), (44, "about 40 s"), (170, "about 3 min")]
)
def test_a_wait_is_said_roughly(seconds, said):
    assert format_rough_duration(seconds) == said


def test_a_long_text_is_cut():
    assert shorten("a cat", 5) == "a cat"
    assert shorten("a cat on a mat", 7) == "a cat…"


def test_markup_is_shown_as_typed():
    assert escape_markup("<b>a</b>") == "&lt;b&gt;a&lt;/b&gt;"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ""),
        (1, "0:01.0 to 0:02.0 could"),
        (2, "0:01.0 to 0:02.0 and 1:01.0 to 1:02.0 could"),
        (5, " and 2 more spans could"),
    ],
)
def test_what_was_left_out_is_said(count, said):
    text = describe_skipped([(60.0 * index + 1, 60.0 * index + 2) for index in range(count)])
    assert said in text and bool(text) == bool(said)


def test_an_early_end_is_said_after_what_is_missing_before_it():
    end = "Only the first 0:12.5 of 0:32.0 could be read: the file ends early or is damaged there."
    assert describe_skipped([(12.52, 32.0)], 12.52) == end
    said = describe_skipped([(1.0, 2.0), (12.52, 32.0)], 12.52)
    assert said.startswith("0:01.0 to 0:02.0 could not") and said.endswith(f" {end}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        ("one\ntwo\r\tthree\u2028four", "one two  three four"),
        ("a\u202egpj.exe\u2066", "a\\u202egpj.exe\\u2066"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_nothing_is_left_that_a_terminal_or_a_page_would_obey(text, shown):
    assert escape_unprintable(text) == shown


@pytest.mark.parametrize("text", ["a cat", "قطة تقفز", "猫が跳ぶ", "👩\u200d🚀", "می\u200cروم", "<b>&"])
def test_any_writing_stays_as_it_is(text):
    assert escape_unprintable(text) == text


STOPPED = """
import os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from grounding.text import stop_quietly
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, too
thread = ThreadPoolExecutor(1)

def main():
    thread.submit(time.sleep, float(sys.argv[1]))  # as a chunk that is being encoded
    os.kill(os.getpid(), signal.SIGINT)

sys.exit(stop_quietly(main))
"""


def start_and_stop(seconds):
    """A program that Ctrl-C stops while a thread of it is at work for some more seconds."""
    command, root = [sys.executable, "-c", STOPPED, str(seconds)], Path(__file__).parents[1]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_a_program_with_a_line():
    with start_and_stop(0) as program:
        assert program.wait(60) == 130
        assert program.stderr.read() == "\nStopped: the same command goes on from what is written.\n"
    assert stop_quietly(lambda: 2) == 2


PROGRAMS = sorted(path.stem for path in TRAINING.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_ctrl_c_ends_every_training_program_with_a_line(monkeypatch, capsys, program):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # else the next Ctrl-C ended the tests without a word
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"training.{program}", run_name="__main__")
    assert ended.value.code == 130 and capsys.readouterr().err.startswith("\nStopped")


def test_a_second_ctrl_c_ends_at_once_what_a_thread_is_at():
    with start_and_stop(600) as program:
        assert program.stderr.readline() == "\n" and program.stderr.readline().startswith("Stopped")
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == -signal.SIGINT
        assert program.stderr.read() == ""

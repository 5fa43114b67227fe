import os
import subprocess
import sys


class TestConsoles:
    """What a shell does to the program, in a process of its own; the clip is refused, which needs no model."""

    def run(self, shell, tmp_path, before="", **environment):
        script = f"{before}from grounding.__main__ import main; import sys; sys.exit(main())"
        (tmp_path / "run.py").write_text(script)
        command = f"{sys.executable} {tmp_path / 'run.py'} {shell}"
        return subprocess.run(
            ["sh", "-c", command], capture_output=True, env=os.environ | environment | {"PYTHONPATH": "."}, timeout=120
        )

    ANSWERS = "import grounding.__main__ as m; m.run = lambda args: m.print_answer(' '.join(args.query));"

    def test_a_code_page_that_cannot_write_a_query_escapes_it(self, tmp_path):
        run = self.run("clip.mp4 '猫の顔 café'", tmp_path, self.ANSWERS, PYTHONIOENCODING="cp1252")
        assert (run.returncode, run.stdout) == (0, "\\u732b\\u306e\\u9854 café\n".encode("cp1252"))

    def test_without_stderr_answers_come_alone(self, tmp_path):
        notice = self.ANSWERS[:-1].replace("m.print_answer", "(m.print_notice('notice'), m.print_answer") + ");"
        run = self.run("clip.mp4 'a cat' 2>&-", tmp_path, notice)
        assert (run.returncode, run.stdout) == (0, b"a cat\n")

    def test_without_stdout_there_is_a_line_and_a_status_before_any_work(self, tmp_path):
        run = self.run("clip.mp4 'a cat' >&-", tmp_path, self.ANSWERS)
        assert (run.returncode, run.stderr.count(b"\n")) == (2, 1)
        assert b"standard output is closed" in run.stderr

    def test_without_either_there_is_a_status(self, tmp_path):
        assert self.run("clip.mp4 'a cat' >&- 2>&-", tmp_path, self.ANSWERS).returncode == 2

    def test_an_error_without_stderr_is_a_status(self, tmp_path):
        run = self.run("no.mp4 'a cat' --top-k none 2>&-", tmp_path)
        assert (run.returncode, run.stdout) == (2, b"")

    def test_a_full_stderr_costs_no_answer(self, tmp_path):
        notice = self.ANSWERS[:-1].replace("m.print_answer", "(m.print_notice('notice'), m.print_answer") + ");"
        run = self.run("clip.mp4 'a cat' 2>/dev/full", tmp_path, notice)
        assert (run.returncode, run.stdout) == (0, b"a cat\n")

    def test_a_reader_that_has_enough_ends_it_in_silence(self, tmp_path):
        many = "import grounding.__main__ as m; m.run = lambda args: [m.print_answer('x' * 99) for _ in range(10000)];"
        run = self.run("clip.mp4 'a cat' | head -1", tmp_path, many)
        assert (run.returncode, run.stdout, run.stderr) == (0, b"x" * 99 + b"\n", b"")

    def test_ctrl_c_is_one_line_and_130(self, tmp_path):
        heard = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"  # in the background, too
        stop = f"{heard} import grounding.__main__ as m; m.run = lambda args: os.kill(os.getpid(), signal.SIGINT);"
        run = self.run("clip.mp4 'a cat'", tmp_path, stop)
        assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"\nStopped.\n")

"""What a process loads: the child that decodes must stay small."""

import subprocess
import sys


def test_the_child_that_opens_files_loads_no_torch():
    code = "import sys, grounding.worker, grounding.video, grounding.preview; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "False"

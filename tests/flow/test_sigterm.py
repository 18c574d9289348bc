"""SIGTERM to `lsml` outside of training: one line, exit code 143."""

import signal
import subprocess
import sys

CODE = """
import time
from lsml_spark.flow.guard import guarded
with guarded():
    print("ready", flush=True)
    try:
        time.sleep(60)
    except Exception:
        print("taken for an error of its own")
"""


def test_sigterm_ends_any_stage_with_143_and_one_line():
    process = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert said == ""
    assert errors == "error: stopped by SIGTERM; run the same command again to go on\n"

"""What a session sets for which master, and the one line of Java's that no screen shows; no JVM is
started.
"""

import subprocess
import time

import pytest

from lsml_spark.spark.session import GUARDED, _defaults
from lsml_spark.spark.stderr import without_incubator_warning


@pytest.mark.parametrize("master", ["local", "local[*]", "local[2,3]", "local-cluster[2,1,1024]"])
def test_a_local_master_listens_on_loopback_and_has_no_page(master):
    told = _defaults(master, {})
    assert told["spark.driver.host"] == told["spark.driver.bindAddress"] == "127.0.0.1"
    assert told["spark.ui.enabled"] == "false"


@pytest.mark.parametrize(
    ("master", "given", "guarded"),
    [
        ("yarn", {}, True),
        ("k8s://https://host:6443", {}, True),
        ("yarn", {"spark.submit.deployMode": "client"}, True),
        # the driver was started by the cluster, without them
        ("yarn", {"spark.submit.deployMode": "cluster"}, False),
        ("yarn", {"spark.shuffle.service.enabled": "true"}, False),  # the service was, too
        ("spark://host:7077", {}, False),  # its daemons know no secret
        ("spark://host:7077", {"spark.authenticate.secret": "ours"}, True),
    ],
)
def test_a_cluster_whose_parts_share_a_secret_authenticates_and_encrypts(master, given, guarded):
    told = _defaults(master, given)
    assert GUARDED.items() <= told.items() if guarded else not set(GUARDED) & set(told)
    assert "spark.authenticate.secret" not in told
    assert "spark.driver.host" not in told


def test_python_workers_do_not_look_into_the_working_folder():
    assert _defaults("yarn", {})["spark.executorEnv.PYTHONSAFEPATH"] == "1"


def test_the_notice_of_incubator_modules_is_swallowed_and_every_other_line_passes(capfd):
    lines = (
        "WARNING: Using incubator modules: jdk.incubator.vector",
        "error: a real one",
        "half a line at the end",
    )
    with without_incubator_warning():
        late = subprocess.Popen(
            [
                "sh",
                "-c",
                'echo "$0" >&2; echo "$1" >&2; printf "%s" "$2" >&2; sleep 0.2; echo later >&2',
                *lines,
            ]
        )
    late.wait()  # it writes on when the body has been left
    end, said = time.monotonic() + 20, ""
    while "later" not in said and time.monotonic() < end:
        said += capfd.readouterr().err
    assert said == "error: a real one\nhalf a line at the endlater\n"

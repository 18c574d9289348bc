"""What setup.cfg cannot say: a wheel carries the example pipeline, which in a checkout lies beside the
package.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
EXAMPLE = ("names.yaml", "data/names")  # as lsml_spark/flow/example.py reads it


class WithExample(build_py):
    """build_py, and pipelines/names.yaml with its data into lsml_spark/example/. An editable installation
    reads the checkout.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for name in EXAMPLE:
            source, target = HERE / "pipelines" / name, Path(self.build_lib, "lsml_spark", "example", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)


setup(cmdclass={"build_py": WithExample})

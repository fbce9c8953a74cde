import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (None, "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_prefer_vector_width=256", "--xla_cpu_prefer_vector_width=256"),
    ],
)
def test_images_fill_wide_registers_unless_the_user_says_otherwise(tmp_path, given, flags):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pdehvd.launch.process_setup import configure_threads\n"
        "from pdehvd.launch.processes_spec import ProcessesSpec\n"
        "configure_threads(ProcessesSpec(threads=1), images=sys.argv[1] == 'images')\n"
    )
    # In place of TensorFlow, whose import takes seconds: it says what it would find.
    (tmp_path / "tensorflow.py").write_text(
        "import os\n"
        "from unittest.mock import MagicMock\n"
        "print(os.environ['XLA_FLAGS'])\n"
        "config = MagicMock()\n"
        "config.list_physical_devices.return_value = []\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"XLA_FLAGS": given} if given else {}

    def told(kind):
        command = [sys.executable, str(program), kind]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert flags in told("images")
    assert "512" not in told("points")

"""Masks and quotas, read from folders that look like the kernel's, and from the kernel itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdehvd.launch import cores


def system(root, groups, **files):
    """Write what a kernel shows: /proc/self/cgroup, and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in groups))
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_control_groups_grant_all(tmp_path):
    assert cores.quota(tmp_path) is None
    assert cores.quota(system(tmp_path, ["nonsense", "0::/", "1:cpu:/"])) is None


def test_version_2_takes_the_least_up_to_the_top(tmp_path):
    root = system(
        tmp_path,
        ["0::/job/step"],
        **{
            "job/step/cpu.max": "max 100000\n",
            "job/cpu.max": "250000 100000\n",
            "cpu.max": "800000 100000\n",
        },
    )
    assert cores.quota(root) == 2.5


def test_a_container_sees_its_own_group_as_the_top(tmp_path):
    root = system(tmp_path, ["0::/docker/0123"], **{"cpu.max": "150000 100000\n"})
    assert cores.quota(root) == 1.5
    outside = system(tmp_path / "b", ["0::/../../x"], **{"cpu.max": "50000 100000\n"})
    assert cores.quota(outside) == 0.5


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_version_1(tmp_path, controllers):
    root = system(
        tmp_path,
        ["2:memory:/other", f"1:{controllers}:/job"],
        **{
            f"{controllers}/job/cpu.cfs_quota_us": "300000\n",
            f"{controllers}/job/cpu.cfs_period_us": "100000\n",
            f"{controllers}/cpu.cfs_quota_us": "-1\n",
            f"{controllers}/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cores.quota(root) == 3.0


def test_a_mixed_system_has_version_2_below_a_folder(tmp_path):
    root = system(tmp_path, ["0::/"], **{"unified/cpu.max": "100000 50000\n"})
    assert cores.quota(root) == 2.0


@pytest.mark.parametrize(
    ("limit", "whole", "count"),
    [(None, 8, 8), (2.5, 8, 2), (1.97, 8, 2), (0.5, 8, 1), (16.0, 8, 8)],
)
def test_the_count_is_the_mask_or_whole_cores_of_the_quota(monkeypatch, limit, whole, count):
    monkeypatch.setattr(cores, "mask", lambda process=0: set(range(whole)))
    monkeypatch.setattr(cores, "quota", lambda: limit)
    assert cores.count() == count


def topology(folder, places):
    for core, (package, physical) in enumerate(places):
        own = folder / f"cpu{core}" / "topology"
        own.mkdir(parents=True)
        (own / "physical_package_id").write_text(f"{package}\n")
        (own / "core_id").write_text(f"{physical}\n")
    return folder


def test_shares_do_not_overlap_and_keep_threads_of_a_core_together(monkeypatch, tmp_path):
    """Four cores of two threads, numbered as Linux does: 0 and 4 are one core."""
    known = topology(tmp_path, [(0, n % 4) for n in range(8)])
    monkeypatch.setattr(cores, "mask", lambda: set(range(8)))
    assert [cores.share_of_cores(n, 2, 4, known) for n in (0, 1)] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert [cores.share_of_cores(n, 2, 2, known) for n in (0, 1)] == [[0, 1], [2, 3]]
    assert [cores.share_of_cores(n, 4, 1, known) for n in range(4)] == [[0], [1], [2], [3]]
    assert cores.share_of_cores(0, 9, 1, known) == []


def test_shares_are_of_the_mask(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "mask", lambda: {3, 5, 6})
    assert [cores.share_of_cores(n, 3, 1, tmp_path) for n in range(3)] == [[3], [5], [6]]
    assert cores.share_of_cores(1, 2, 1, tmp_path) == [5]


def test_all_threads_are_pinned():
    program = (
        "import os, threading, time\n"
        "from pdehvd.launch import cores\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "one = min(cores.mask())\n"
        "cores.pin([one])\n"
        "masks = {tuple(os.sched_getaffinity(int(t))) for t in os.listdir('/proc/self/task')}\n"
        "assert masks == {(one,)} and len(os.listdir('/proc/self/task')) == 2, masks\n"
        "print(cores.count())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr


def test_a_real_control_group_limits_the_count():
    """Where this test may make one; elsewhere the folders above stand for it."""
    top = Path("/sys/fs/cgroup/cpu")
    mine = top / f"pdehvd-test-{os.getpid()}"
    program = (
        f"import os; open({str(mine / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        "from pdehvd.launch import cores; print(cores.quota(), cores.count())"
    )
    try:
        mine.mkdir()
        (mine / "cpu.cfs_quota_us").write_text("100000")
    except OSError:
        assert not (mine / "cpu.cfs_quota_us").exists()
        return
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout.split() == ["1.0", "1"], done.stderr
    finally:
        mine.rmdir()

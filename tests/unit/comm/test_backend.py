import os

from pdehvd.comm import backend
from pdehvd.launch.processes_spec import ProcessesSpec


def test_horovod_is_told_its_cycle_and_its_fusion_but_the_user_wins(monkeypatch):
    own = {"HOROVOD_CYCLE_TIME": "7"}
    monkeypatch.setattr(os, "environ", own)
    backend.tell_horovod(ProcessesSpec())
    assert own == {"HOROVOD_CYCLE_TIME": "7"}
    backend.tell_horovod(ProcessesSpec(cycle_time=2, fusion=1.5))
    assert own == {"HOROVOD_CYCLE_TIME": "7", "HOROVOD_FUSION_THRESHOLD": "1572864"}
    monkeypatch.setattr(os, "environ", fresh := {})
    backend.tell_horovod(ProcessesSpec(cycle_time=2))
    assert fresh == {"HOROVOD_CYCLE_TIME": "2.0"}

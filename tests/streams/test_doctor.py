import json
import socket

import pytest

from streams.doctor import run_doctor
from streams.settings import Settings


def examined(capsys, **overrides) -> dict[str, dict[str, object]]:
    run_doctor(Settings.load(**overrides), as_json=True)
    answer = json.loads(capsys.readouterr().out)
    return {check["name"]: check for check in answer["checks"]} | {"": answer}


def test_missing_models_are_named_with_the_command_that_brings_them(tmp_path, capsys):
    code = run_doctor(Settings.load(models={"dir": tmp_path}), as_json=True)
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}

    assert code == 1
    assert "livewarden models pull" in checks["models"]["fix"]
    assert "--accept AGPL-3.0-only" in checks["models"]["fix"]


def test_decoders_are_asked_in_a_process_of_their_own(tmp_path, capsys):
    checks = examined(capsys, data_dir=tmp_path)
    assert checks["decoders"]["ok"]
    assert "h264" in checks["decoders"]["detail"]


def test_taken_port_and_absent_broker_are_told_with_their_fix(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checks = examined(capsys, data_dir=tmp_path, api={"port": port}, kafka={"bootstrap_servers": ["127.0.0.1:1"]})
    assert not checks["port"]["ok"]
    assert "0 of 1" in checks["kafka"]["detail"]
    assert not checks["kafka"]["needed"]


def test_gpu_that_is_asked_for_and_not_there_is_a_reason_not_to_start(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("inference.devices.missing_cuda", lambda: "no NVIDIA device")
    checks = examined(capsys, data_dir=tmp_path, device={"provider": "cuda"})
    assert not checks["device"]["ok"]
    assert not checks[""]["can_watch"]


@pytest.mark.parametrize("as_json", [False, True])
def test_output_is_whole_in_both_forms(tmp_path, capsys, as_json):
    run_doctor(Settings.load(data_dir=tmp_path), as_json=as_json)
    assert "decoders" in capsys.readouterr().out

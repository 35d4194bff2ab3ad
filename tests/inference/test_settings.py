import pytest

from inference.errors import ConfigError
from inference.settings import InferenceSettings


@pytest.fixture
def yaml_file(tmp_path):
    path = tmp_path / "livewarden.yaml"
    path.write_text("api: {port: 9000}\ndevice: {provider: cpu, threads: 2}\n", encoding="utf-8")
    return path


def test_environment_beats_file_beats_default(yaml_file, monkeypatch):
    monkeypatch.setenv("LIVEWARDEN_API__PORT", "9100")

    settings = InferenceSettings.load(yaml_file)

    assert (settings.api.port, settings.device.threads, settings.api.host) == (9100, 2, "127.0.0.1")


def test_override_beats_environment(monkeypatch):
    monkeypatch.setenv("LIVEWARDEN_API__PORT", "9100")
    assert InferenceSettings.load(api={"port": 1234}).api.port == 1234


def test_every_wrong_key_and_value_is_named(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("api: {prot: 1}\ndevice: {threads: many}\n", encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        InferenceSettings.load(path)
    assert "api.prot=1" in str(caught.value)
    assert "device.threads='many'" in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml does not exist"):
        InferenceSettings.load(tmp_path / "nowhere.yaml")


def test_broken_yaml_is_one_message(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("api: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not YAML"):
        InferenceSettings.load(path)


def test_api_keys_never_show_in_repr_or_error(tmp_path):
    settings = InferenceSettings.load(api={"keys": ["hunter2"]})
    assert "hunter2" not in repr(settings)

    path = tmp_path / "bad.yaml"
    path.write_text("api: {keys: {a: hunter2}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        InferenceSettings.load(path)
    assert "hunter2" not in str(caught.value)

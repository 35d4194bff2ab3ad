import pytest

from inference.errors import ConfigError
from inference.settings import InferenceSettings
from streams.settings import Settings


def test_unknown_section_is_refused_with_its_name(tmp_path):
    path = tmp_path / "livewarden.yaml"
    path.write_text("kafak: {bootstrap_servers: ['a:1']}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="kafak"):
        Settings.load(path)


def test_text_check_reads_the_same_file_as_the_whole_product(tmp_path):
    path = tmp_path / "livewarden.yaml"
    path.write_text("kafka: {bootstrap_servers: ['a:1']}\napi: {port: 9}\n", encoding="utf-8")

    assert InferenceSettings.load(path).api.port == 9
    assert Settings.load(path).kafka.bootstrap_servers == ("a:1",)


def test_places_follow_the_data_folder(tmp_path):
    settings = Settings.load(data_dir=tmp_path)
    assert settings.evidence_uri == str(tmp_path / "evidence")
    assert settings.index_address == f"sqlite:///{tmp_path}/index.db"

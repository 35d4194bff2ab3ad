import os

from streams.reloading import FileWatch


def test_change_is_told_once(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("id: a\n")
    watch = FileWatch([path])
    assert not watch.changed()

    path.write_text("id: ab\n")

    assert watch.changed()
    assert not watch.changed()


def test_replaced_file_of_the_same_size_and_time_is_a_change(tmp_path):
    path, other = tmp_path / "policy.yaml", tmp_path / "new.yaml"
    path.write_text("id: a\n")
    other.write_text("id: b\n")
    os.utime(path, ns=(1, 1))
    os.utime(other, ns=(1, 1))
    watch = FileWatch([path])

    other.replace(path)

    assert watch.changed()


def test_file_that_goes_and_comes_is_a_change_each_time(tmp_path):
    path = tmp_path / "policy.yaml"
    watch = FileWatch([path])
    path.write_text("id: a\n")
    assert watch.changed()
    path.unlink()
    assert watch.changed()

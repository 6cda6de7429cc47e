import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from harmonium.io.atomic import write_atomically

OLD, NEW = b"old content", b"new and longer content"


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def run(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)


@pytest.mark.parametrize("data", [b"", b"\r\n\x1a\x00", bytes(3_000_000)])
def test_writes_what_it_is_given(tmp_path, data):
    path = tmp_path / "file"
    for _ in range(2):  # a new file, then an old one
        write_atomically(path, data)
        assert path.read_bytes() == data
        assert os.listdir(tmp_path) == ["file"]


def test_a_name_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW


def test_the_longest_name(tmp_path):
    path = tmp_path / ("n" * 255)
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW


def test_content_is_flushed_before_the_renaming_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def recording_fsync(descriptor):
        status = os.fstat(descriptor)
        calls.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)
        fsync(descriptor)

    def recording_replace(source, target):
        calls.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "replace", recording_replace)
    write_atomically(tmp_path / "file", NEW)
    assert calls == [len(NEW), "replace", "folder"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), MemoryError()]
)
@pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, function, error):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(0o604)

    def interrupted(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, interrupted)
        with pytest.raises(type(error)) as caught:
            write_atomically(path, NEW)
    assert caught.value is error
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == OLD
    assert mode(path) == 0o604


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interrupted_first_save_leaves_nothing(tmp_path, monkeypatch, function):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, function, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", NEW)
    assert os.listdir(tmp_path) == []


def test_a_full_device_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    run(
        "import errno, resource, sys\n"
        "from harmonium.io.atomic import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    write_atomically(sys.argv[1], bytes(1_000_000))\n"
        "except OSError as error:\n"
        "    sys.exit(error.errno != errno.EFBIG)\n"
        "sys.exit(2)\n",
        path,
    )
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == OLD


def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([i]) * 1_000_000 for i in range(2)]
    program = (
        "import itertools, sys\n"
        "from harmonium.io.atomic import write_atomically\n"
        "for i in itertools.count():\n"
        "    write_atomically(sys.argv[1], bytes([i % 2]) * 1_000_000)\n"
        "    print('.', flush=True)\n"
    )
    for saves in (1, 4, 7):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
        ) as process:
            for _ in range(saves):
                assert process.stdout.readline() == b".\n"
            process.send_signal(signal.SIGKILL)
        assert path.read_bytes() in contents


def test_an_error_of_flushing_the_folder_is_none(tmp_path, monkeypatch):
    fsync = os.fsync

    def fsync_files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_files_only)
    write_atomically(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW


def test_readers_see_the_old_content_or_the_new(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([i]) * 500_000 for i in range(2)]
    write_atomically(path, contents[0])
    seen = []

    def read():
        for _ in range(100):
            data = path.read_bytes()
            seen.append(contents.index(data) if data in contents else "torn")

    readers = [threading.Thread(target=read) for _ in range(2)]

    def write(start):
        while any(reader.is_alive() for reader in readers):
            for i in range(2):
                write_atomically(path, contents[(start + i) % 2])

    writers = [threading.Thread(target=write, args=(i,)) for i in range(2)]
    for thread in readers + writers:
        thread.start()
    for thread in readers + writers:
        thread.join()
    assert len(seen) == 200
    assert set(seen) <= {0, 1}
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.usefixtures("umask")
def test_permissions_of_a_new_file_follow_the_umask(tmp_path):
    write_atomically(tmp_path / "ours", NEW)
    (tmp_path / "ordinary").write_bytes(NEW)
    assert mode(tmp_path / "ours") == mode(tmp_path / "ordinary") == 0o640


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("permissions", [0o600, 0o664, 0o777])
def test_permissions_of_an_old_file_stay(tmp_path, monkeypatch, permissions):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(permissions)
    first = []
    chmod = os.chmod

    def recording_chmod(name, bits):
        first.append(stat.S_IMODE(os.stat(name).st_mode))
        chmod(name, bits)

    monkeypatch.setattr(os, "chmod", recording_chmod)
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW
    assert mode(path) == permissions
    assert first == [0o600]  # private until then


def test_a_symbolic_link_is_written_through(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(OLD)
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "second").symlink_to("link")
    write_atomically(tmp_path / "second", NEW)
    assert (tmp_path / "second").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert (folder / "file").read_bytes() == NEW
    assert os.listdir(folder) == ["file"]


def test_a_link_to_nothing_creates_its_target(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", NEW)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == NEW


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    cases = [
        ("", FileNotFoundError, errno.ENOENT),
        (str(tmp_path), IsADirectoryError, errno.EISDIR),
        (f"{tmp_path}/new/", IsADirectoryError, errno.EISDIR),
        (str(tmp_path / "missing" / "file"), FileNotFoundError, errno.ENOENT),
        (str(tmp_path / "file" / "file"), NotADirectoryError, errno.ENOTDIR),
        (str(tmp_path / "loop"), OSError, errno.ELOOP),
        (str(tmp_path / "pipe"), OSError, errno.EINVAL),
        (os.devnull, OSError, errno.EINVAL),
    ]
    before = sorted(os.listdir(tmp_path))
    for path, error, code in cases:
        with pytest.raises(error) as caught:
            write_atomically(path, NEW)
        assert (path, caught.value.errno) == (path, code)
        assert caught.value.filename == path
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "file").read_bytes() == OLD


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    # The superuser may write anything, whatever the permissions.
    monkeypatch.setattr(os, "access", lambda name, wanted: wanted != os.W_OK)
    with pytest.raises(PermissionError):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize("path", [b"file", 3, None])
def test_what_is_not_a_path(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError):
        write_atomically(path, NEW)
    assert os.listdir(tmp_path) == []

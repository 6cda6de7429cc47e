"""Replacing a file's content all at once."""

import contextlib
import errno
import os
import secrets
import stat


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Make ``data`` the content of the file at ``path``, at once or not at all.

    The data go to a temporary file in the same folder, are flushed to the device, and the temporary
    file is renamed to ``path``. So whoever reads ``path`` meanwhile, and whoever reads it after a
    crash, finds the old content or the new, whole. On any exception, KeyboardInterrupt included,
    the temporary file is removed, and the old file is as it was unless the renaming was already
    done. A killed process may leave a temporary file, ``.harmonium-*.tmp``, behind.

    Otherwise as ``open(path, "wb")``: a symbolic link is followed; a new file's permissions follow
    the umask, an existing file keeps its own; a file that may not be written is not replaced.
    Unlike it, other hard links to an existing file keep the old content.

    The folder is flushed too, so that the renaming survives a power failure, where the system
    allows it; where it does not, that is no error.

    Raises
    ------
    OSError
        As ``open`` would (`FileNotFoundError` for a missing folder, `IsADirectoryError`,
        `PermissionError`), if the device is full, or if ``path`` is a device, pipe or socket,
        which cannot be replaced.
    """
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"path must be a string or a path of strings, not {type(name).__name__}")
    if not os.path.basename(name):
        code = errno.EISDIR if name else errno.ENOENT
        raise OSError(code, os.strerror(code), name)
    target = os.path.realpath(name)
    permissions = _permissions_of_existing(target, name)
    folder = os.path.dirname(target)
    # The random name is ours alone; it does not hold the target's, which may be of maximal length.
    temporary = os.path.join(folder, f".harmonium-{secrets.token_hex(16)}.tmp")

    def open_private(file: str, flags: int) -> int:
        # Never readable by more people than the old file is, not even for a moment.
        return os.open(file, flags, 0o666 if permissions is None else 0o600)

    try:
        with open(temporary, "xb", opener=open_private) as file:
            if permissions is not None:
                os.chmod(temporary, permissions)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary and error.filename2 is None:
            error.filename = name  # the one that the caller knows
        raise
    _flush_folder(folder)


def _permissions_of_existing(target: str, name: str) -> int | None:
    """Permission bits of the file to be replaced; None if there is none."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file, so it cannot be replaced", name)
    if not os.access(target, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), name)
    return mode & 0o777


def _flush_folder(folder: str) -> None:
    # The new file is in place: an error here (Windows opens no folders, some file systems flush
    # none) must not make the caller believe that it is not.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""The first bytes of a model file, and of what is taken for one."""

MAGIC = b"\x89HRM\r\n\x1a\n"
"""The signature: a byte above 127, which a seven-bit transfer alters; a name; a CR LF pair and a
lone LF, one of which any conversion of line ends alters; Ctrl-Z, at which old listings stop."""

_NO_PICKLE = "harmonium never loads pickles, since loading one can run any code"
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive (such as .npz, or a PyTorch model)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"PK\x07\x08", "a zip archive in parts"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"\x89HDF\r\n", "an HDF5 file"),
)
# Protocols 2 to 5 start with the opcode PROTO. The older two start with the opcode of what they
# hold: a list or dictionary, or a global, by the name of its module.
_PICKLES = (
    *(bytes([0x80, protocol]) for protocol in range(2, 6)),
    *(b"(lp0\n", b"(dp0\n", b"]q\x00", b"}q\x00"),
    *(b"ccopy_reg\n", b"c__builtin__\n", b"cnumpy.", b"csklearn."),
)


def why_foreign(start: bytes | bytearray) -> str | None:
    """Why a file whose first 28 bytes (fewer, if it is shorter) are ``start`` is no model file.

    The answer continues a sentence that starts with the file's name; it is None if the signature is
    right as far as it goes.
    """
    if start[: len(MAGIC)] == MAGIC[: len(start)]:
        return None
    if start.startswith(_PICKLES):
        return f"is not a harmonium file but a pickle: {_NO_PICKLE}"
    for signature, description in _FOREIGN:
        if start.startswith(signature):
            return f"is not a harmonium file but {description}"
    if b"HRM" in start[:6]:
        return (
            "is a harmonium file whose signature is damaged, as by a transfer in text mode: "
            "transfer it again, in binary mode"
        )
    return f"is not a harmonium file: it starts with {bytes(start[: len(MAGIC)])!r}, not {MAGIC!r}"

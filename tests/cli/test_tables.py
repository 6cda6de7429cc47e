import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonium.cli.columns import chosen, matching
from harmonium.cli.delimiters import find_delimiter, has_header
from harmonium.cli.errors import CommandError, one_line
from harmonium.cli.tables import Header, read_table


def every_column(header):
    return list(range(header.n_columns))


def read(tmp_path, text, choose=every_column, missing=False, **settings):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(str(path), choose, missing=missing, **settings)


def refusal(tmp_path, text, choose=every_column, **settings):
    with pytest.raises(CommandError) as caught:
        read(tmp_path, text, choose, **settings)
    message = str(caught.value)
    assert message == one_line(message)
    assert message.startswith(str(tmp_path / "t.csv"))
    return message.removeprefix(str(tmp_path / "t.csv")).removeprefix(": ")


# --------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks_of_byte_order(tmp_path, delimiter, end, start):
    lines = (delimiter.join(fields) for fields in (["a", "b"], ["1", "2.5"], [" -3e2 ", "+4"]))
    table = read(tmp_path, start + end.join(lines) + end)
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2.5], [-300, 4]])
    assert table.lines.tolist() == [2, 3]


def test_the_last_line_needs_no_end_and_blank_lines_are_none(tmp_path):
    table = read(tmp_path, "\n\na,b\n\n1,2\n\n\n3,4")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])
    assert table.lines.tolist() == [5, 8]


def test_quotes_hold_delimiters_and_line_ends(tmp_path):
    table = read(tmp_path, '"a,1","b\n""2"""\n"1",2\n"3","4"\n')
    assert table.names == ("a,1", 'b\n"2"')
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])
    assert table.lines.tolist() == [3, 4]


def test_one_column(tmp_path):
    table = read(tmp_path, "x\n1\n2\n")
    assert table.names == ("x",)
    assert table.values.shape == (2, 1)


def test_columns_that_are_not_wanted_may_hold_anything(tmp_path):
    table = read(tmp_path, "a,name,b\n1,x,2\n3,,4\n", lambda header: [2, 0])
    assert table.names == ("b", "a")
    np.testing.assert_array_equal(table.values, [[2, 1], [4, 3]])


def test_missing_values(tmp_path):
    text = "a,b\n1,\nNA,nan\n n/a ,2\nNULL,-nan\n"
    values = read(tmp_path, text, missing=True).values
    np.testing.assert_array_equal(values, [[1, np.nan], [np.nan] * 2, [np.nan, 2], [np.nan] * 2])
    assert refusal(tmp_path, text) == (
        "row 1 (line 2), column 'b': there is no value; --missing takes empty fields, NA and NaN as "
        "missing values"
    )
    assert "row 1 (line 2), column 'a': 'nan' is missing" in refusal(tmp_path, "a\nnan\n")


def test_many_rows_in_blocks(tmp_path):
    values = np.arange(30_000.0).reshape(10_000, 3)
    text = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    table = read(tmp_path, text)
    assert table.names is None
    np.testing.assert_array_equal(table.values, values)
    np.testing.assert_array_equal(table.lines, np.arange(1, 10_001))
    broken = text.replace("\n29997.0,", "\n2_9997.0,")
    assert refusal(tmp_path, broken).startswith(
        "row 10000 (line 10000), column 1: '2_9997.0' is not"
    )


def test_standard_input(tmp_path, monkeypatch):
    def given_input(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return read_table("-", every_column, missing=False)

    np.testing.assert_array_equal(given_input(b"a;b\n1;2\n").values, [[1, 2]])
    with pytest.raises(CommandError, match=r"^standard input: is empty"):
        given_input(b"")
    with pytest.raises(CommandError, match=r"^standard input: row 1 \(line 2\), column 'b': 'x'"):
        given_input(b"a;b\n1;x\n2;3\n")
    with pytest.raises(CommandError, match=r"^standard input: is compressed"):
        given_input(b"\x1f\x8b\x08")


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=6)
    ),
    st.sampled_from(",;\t"),
    st.booleans(),
)
def test_every_number_comes_back(tmp_path_factory, rows, delimiter, named):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if named:
            writer.writerow([f"c{j}" for j in range(len(rows[0]))])
        writer.writerows(rows)
    table = read_table(str(path), every_column, missing=False)
    np.testing.assert_array_equal(table.values, rows)
    assert (table.names is not None) == named


# --------------------------------------------------------------- header and delimiter, found


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b\n1,2", True),
        ("1,2\n3,4", False),
        ("a,2019\nx,4", False),
        ("2019,b\n3,4", True),
        ("setosa,1,2\nvirginica,3,4", False),
        ("name,1,2\nbob,3,4", False),
        ("a,b\nx,y", True),
        ("a,b", True),
        (",a,b\n0,1,2", True),
        ("1,,3\n4,5,6", False),
        ("NA,2\n3,4", False),
        ("NA,NA\n3,4", False),
        ("a,b\n,\n1,2", True),
        ("inf,1\n2,3", False),
        ("1_000,1\n2,3", True),
    ],
)
def test_whether_there_is_a_header(text, header):
    assert has_header([line.split(",") for line in text.split("\n")]) == header


def test_of_no_records_there_is_none():
    assert not has_header([])


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5", ";"),
        ("a\tb c, d\n1\t2", "\t"),
        ("a,b;c\n1,2", ","),
        ("a,b,c\n1,2,3\n4,5", ","),
        ("a;b,c;d\n1;2;3", ";"),
        ("a\n1", ","),
        ("", ","),
        ('"a;b",c\n1,2', ","),
    ],
)
def test_which_delimiter(text, delimiter):
    assert find_delimiter(text.splitlines(keepends=True)) == delimiter


def test_both_may_be_said(tmp_path):
    assert read(tmp_path, "2019,2020\n1,2\n", header=True).names == ("2019", "2020")
    assert refusal(tmp_path, "a,b\n1,2\n", header=False).startswith("row 1 (line 1), column 1: 'a'")
    assert read(tmp_path, "a|b\n1|2\n", delimiter="|").names == ("a", "b")


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("\ufeff", "is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 fields, expected 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 fields, expected 2"),
        ("a,a\n1,2\n", "line 1: two columns are called 'a', the 1st and the 2nd"),
        ("b,a, a\n1,2,3\n", "line 1: two columns are called 'a', the 2nd and the 3rd"),
        ("a,b\n1,x\n", "row 1 (line 2), column 'b': 'x' is not a number"),
        ("a,b\n1,2\n\n3,1 000\n", "row 2 (line 4), column 'b': '1 000' is not a number"),
        ("1,2\n3,x\n", "row 2 (line 2), column 2: 'x' is not a number"),
        ("a,b\n1,1_0\n", "row 1 (line 2), column 'b': '1_0' is not a number"),
        ("a,b\n1,inf\n", "row 1 (line 2), column 'b': 'inf' is infinite"),
        ("a,b\n1,-1e999\n", "row 1 (line 2), column 'b': '-1e999' is infinite"),
        ("a,b\n1,2\n3,0x10\n", "row 2 (line 3), column 'b': '0x10' is not a number"),
        (
            "a;b\n1;2,5\n",
            "row 1 (line 2), column 'b': '2,5' is not a number; write numbers with a decimal point, "
            "not a comma",
        ),
        (b"\x89HRM\r\n\x1a\n", "is a model file, not a table"),
        (b"PK\x03\x04", "is a zip archive or a spreadsheet: export it as CSV"),
        (b"\xff\xfea\x00", "is text in UTF-16: save it in UTF-8"),
        (
            "a,b\n1,é\n".encode("latin-1"),
            "is no text in UTF-8: it has the byte 0xe9; save it in UTF-8",
        ),
        (
            'a,b\n1,2\n3,"4\n5,6\n',
            "line 3: unexpected end of data; are its quotes balanced?",
        ),
        ('a,b\n1,"2"3\n', "line 2: ',' expected after '\"'; are its quotes balanced?"),
        ("a,b\n1,'\x1b[31m'\n", "row 1 (line 2), column 'b': \"'\\x1b[31m'\" is not a number"),
        (f"a,b\n1,{'x' * 500}\n", f"row 1 (line 2), column 'b': '{'x' * 57}...' is not a number"),
    ],
)
def test_refusals_say_where(tmp_path, text, message):
    assert refusal(tmp_path, text) == message


def test_a_hint_quotes_the_name_for_the_shell(tmp_path):
    for name, quoted in (
        ("species", "species"),
        ("a b", "'a b'"),
        ("it's", "'it'\"'\"'s'"),
        ("a,b", "'\"a,b\"'"),
    ):
        message = refusal(tmp_path, f'"{name}",v\nx,1\n', hint="; --drop {name}")
        assert message.endswith(f"'x' is not a number; --drop {quoted}")
    assert refusal(tmp_path, "1,2\n3,x\n", hint="; --drop {name}").endswith("; --drop 2")


def test_files_that_are_none(tmp_path):
    for path, words in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CommandError, match=f"^{path}: {words}"):
            read_table(str(path), every_column, missing=False)


# ------------------------------------------------------------------------------- columns

HEADER = Header("t.csv", ("a", "b", "c,d", "w"), 4)
BARE = Header("t.csv", None, 4)


@pytest.mark.parametrize(
    ("columns", "drop", "weights", "places"),
    [
        (None, None, None, [0, 1, 2, 3]),
        (["b,a"], None, None, [1, 0]),
        (["b", " a"], None, None, [1, 0]),
        (['"c,d"'], None, None, [2]),
        (None, ["a,w"], None, [1, 2]),
        (None, ["w"], "w", [0, 1, 2, 3]),
        (["a,b"], ["a"], None, [1]),
        (None, None, "b", [0, 2, 3, 1]),
        (["a"], None, "w", [0, 3]),
    ],
)
def test_columns_by_name(columns, drop, weights, places):
    assert chosen(columns, drop, weights)(HEADER) == places


def test_columns_by_number():
    assert chosen(["4,1"], None, None)(BARE) == [3, 0]
    assert chosen(None, ["2"], "3")(BARE) == [0, 3, 2]


@pytest.mark.parametrize(
    ("header", "arguments", "message"),
    [
        (
            HEADER,
            (["x"], None, None),
            "--columns: t.csv has no column 'x'; it has 'a', 'b', 'c,d', 'w'",
        ),
        (HEADER, (None, ["1"], None), "--drop: t.csv has no column '1'"),
        (HEADER, (None, None, "x"), "--weights: t.csv has no column 'x'"),
        (HEADER, (["a,a"], None, None), "--columns: 'a' is given twice"),
        (HEADER, (["a"], ["b"], None), "--drop: 'b' is not among the --columns"),
        (HEADER, (["a,b"], None, "a"), "--weights: 'a' is among the --columns too"),
        (HEADER, (None, ['a,b,"c,d",w'], None), "t.csv: no columns are left"),
        (HEADER, (["a"], ["a"], None), "t.csv: no columns are left"),
        (BARE, (["a"], None, None), "--columns: 'a' is no column of t.csv, which has no header: "),
        (BARE, (["0"], None, None), "columns are 1 to 4"),
        (BARE, (["5"], None, None), "columns are 1 to 4"),
    ],
)
def test_columns_that_are_none(header, arguments, message):
    with pytest.raises(CommandError) as caught:
        chosen(*arguments)(header)
    assert message in str(caught.value)


def test_long_lists_are_cut():
    header = Header("t.csv", tuple(f"n{j}" for j in range(500)), 500)
    with pytest.raises(CommandError, match=r"and 488 more$"):
        chosen(["x"], None)(header)


def test_a_models_columns_are_found_by_name():
    assert matching(("w", "a"), 2, None, None)(HEADER) == [3, 0]
    assert matching(("a", "b"), 2, None, None)(Header("t", None, 2)) == [0, 1]
    assert matching(None, 2, ["b,a"], None)(HEADER) == [1, 0]
    # names that tell nothing apart are no names
    assert matching(("a", "a"), 2, None, ["w", "b"])(HEADER) == [0, 2]


@pytest.mark.parametrize(
    ("header", "names", "drop", "message"),
    [
        (
            HEADER,
            ("a", "x", "y"),
            None,
            "t.csv: no column 'x', 'y', which the model needs; it has 'a'",
        ),
        (HEADER, ("a", "b"), ["a"], "t.csv: no column 'a', which the model needs; it has 'b'"),
        (
            BARE,
            ("a", "b"),
            None,
            "t.csv: 4 columns, but the model needs 2 columns ('a', 'b'); choose",
        ),
        (HEADER, None, None, "t.csv: 4 columns, but the model needs 2 columns; choose them with"),
    ],
)
def test_a_models_columns_that_are_not_there(header, names, drop, message):
    with pytest.raises(CommandError) as caught:
        matching(names, 2, None, drop)(header)
    assert str(caught.value).startswith(message)

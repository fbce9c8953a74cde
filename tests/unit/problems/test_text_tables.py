"""Tables as spreadsheets, R, MATLAB and instruments write them: read rightly or refused by row."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdehvd.errors import ConfigError
from pdehvd.problems.data import open_table, read_table
from pdehvd.problems.text_lines import NAMES

# Every text holds the columns t = 0, 1000 and u = 0.5, 7.
READ = {
    "commas": "t,u\n0,0.5\n1000,7\n",
    "commas and blanks": "t, u\n0,   0.5\n 1000 , 7\n",
    "semicolons": "t;u\n0;0.5\n1000;7\n",
    "tabs": "t\tu\n0\t0.5\n1000\t7\n",
    "bars": "t|u\n0|0.5\n1000|7\n",
    "several blanks": "  t    u\n  0  0.5\n1000  7.0\n",
    "names with blanks": "t,wall u,u\n0,1,0.5\n1000,1,7\n",
    "carriage returns": "t,u\r\n0,0.5\r\n1000,7\r\n",
    "old carriage returns": "t,u\r0,0.5\r1000,7\r",
    "separator in the first line": "sep=;\nt;u\n0;0.5\n1000;7\n",
    "separator in the first line, in capitals": "SEP=;\nt;u\n0;0.5\n1000;7\n",
    "decimal commas, semicolons": "t;u\n0;0,5\n1000;7,0\n",
    "decimal commas, tabs": "t\tu\n0\t0,5\n1000,0\t7\n",
    "decimal commas, blanks": "t u\n0,0 0,5\n1000,0 7,0\n",
    "decimal commas, quoted": '"t","u"\n"0,0","0,5"\n"1000,0","7"\n',
    "decimal commas, powers": "t;u\n0;5,0e-1\n1,0e3;7\n",
    "three decimals": "t;u\n0,000;0,500\n1000,000;7,000\n",
    "powers": "t,u\n0e0,5E-1\n1e3,+7.0e+0\n",
    "powers of Fortran": "t u\n0.0D+00 0.5D+00\n1.0D+03 7.0d0\n",
    "quoted names": '"t","u"\n0,0.5\n1000,7\n',
    "quoted names with separators": '"t","speed, mean","u"\n0,1,0.5\n1000,1,7\n',
    "single quotes": "'t','u'\n'0','0.5'\n'1000','7'\n",
    "quoted numbers": '"t","u"\n"0","0.5"\n"1000","7"\n',
    "quotes and blanks": '"t"  "label of it"  "u"\n0 "a b" 0.5\n1000 "c" 7\n',
    "blank lines": "\nt,u\n\n0,0.5\n \n1000,7\n\n\n",
    "empty rows of a spreadsheet": "t;u\n0;0.5\n;\n1000;7\n;\n;\n",
    "comments": "# of 2024\nt,u\n# first\n0,0.5 # so far\n1000,7\n",
    "comments of MATLAB": "% model: rod, 2 rows\n% done\nt,u\n0,0.5\n1000,7\n",
    "names in a comment": "# measured\n# t u\n0 0.5\n1000 7\n",
    "names in a comment, separated otherwise": "# t,u\n0.0 0.5\n1000.0 7.0\n",
    "names in a comment, with blanks": "# t u\n0,0.5\n1000,7\n",
    "names in a comment of COMSOL": "% Nodes: 2\n% t   v   u\n0 1 0.5\n1000 1 7\n",
    "units in brackets": "t;u\n[s];[m/s]\n0;0.5\n1000;7\n",
    "units in parentheses": "t,u,label\n(s),(-),\n0,0.5,a\n1000,7,b\n",
    "units of a name nobody asked for": "t,u,flag\ns,1,m\n0,0.5,1\n1000,7,2\n",
    "letters that are no units": "t,u,flag\n0,0.5,A\n1000,7,B\n",
    "bare units": "t\tu\nms\tW/m^2\n0\t0.5\n1000\t7\n",
    "trailing separators": "t,u,\n0,0.5,\n1000,7,\n",
    "trailing separators in rows": "t;u\n0;0.5;;\n1000;7;;\n",
    "trailing separator in the header": "t;u;\n0;0.5\n1000;7\n",
    "names of rows by R": '"t" "u"\n"1" 0 0.5\n"2" 1000 7\n',
    "names of rows by R, commas": '"t","u"\n"first",0,0.5\n"second",1000,7\n',
    "names of rows in a column": '"","t","u"\n"1",0,0.5\n"2",1000,7\n',
    "an index by pandas": ",t,u\n0,0,0.5\n1,1000,7\n",
    "separator in the first line, filled up": "sep=;,,\nt;u\n0;0,5\n1000;7\n",
    "colours": "t,u,colour\n0,0.5,#ff0000\n1000,7,#00ff00\n",
    "errors of a spreadsheet nobody asked for": "t\tw\tu\n0\t#DIV/0!\t0.5\n1000\t#N/A\t7\n",
    "invisible letters": "t,\u200bu\n0,0.5\u200e\n1000,7\n",
    "numbered rows": "#,t,u\n1,0,0.5\n2,1000,7\n",
    "text nobody asked for": "label,t,u\nhot,0,0.5\n,1000,7\n",
    "missing values nobody asked for": "t,u,w\n0,0.5,NA\n1000,7,\n",
    "a name twice that nobody asked for": "w,t,w,u\n1,0,2,0.5\n1,1000,2,7\n",
}


def table(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def check(file: Path) -> None:
    found = read_table(file, ["u", "t"])
    assert {name: list(values) for name, values in found.items()} == {"u": [0.5, 7], "t": [0, 1000]}


@pytest.mark.parametrize("case", READ)
def test_read_rightly(tmp_path: Path, case: str) -> None:
    check(table(tmp_path, READ[case]))


BARE_32 = ["utf-32-le", "utf-32-be"]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", *BARE_32],
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "t;u;Größe [m²]\r\n0;0,5;1\r\n1000;7;1\r\n"
    check(table(tmp_path, text.encode(encoding)))


@pytest.mark.parametrize("ending", ["csv", "CSV", "tsv", "txt", "dat"])
def test_endings(tmp_path: Path, ending: str) -> None:
    check(table(tmp_path, READ["tabs"], f"a.{ending}"))


REFUSED = {
    "more values": ("t,u\n0,0.5,7\n", "row 1 (line 2) has 3 values between commas", "2 names"),
    "decimal commas": ("t,u\n0,5,1,0\n", "row 1 (line 2) has 4 values", "decimal comma"),
    "fewer values": ("t;u\n0;1\n2\n", "row 2 (line 3) has 1 value between semicolons", "2 names"),
    "more values later": ("t,u\n" + "0,1\n" * 300 + "0,1,2\n", "row 301 (line 302) has 3 values"),
    "comments count": ("#\nt\tu\n\n0\t1\n0\t1\t2\n", "row 2 (line 5) has 3 values between tabs"),
    "all quoted, more values": ('"t","u"\n"0","1","2"\n', "row 1 (line 2) has 3 values"),
    "one name of a row": ('"t","u"\n"1",0,1\n0,1\n', "row 1 (line 2) has 3 values"),
    "another separator": ("t,u\n0;1\n", "row 1 (line 2) has 1 value between commas"),
    "blanks for semicolons": ("t;u\n0 1\n", "row 1 (line 2) has 1 value between semicolons"),
    "decimal commas alone": ("t\n0,5\n", "row 1 (line 2) has 2 values between commas"),
    "a title": ("Run 7 of May\nt,u\n0,1\n", "the header in line 1 has 4 names"),
    "no header": ("0,1\n1,2\n", "no header: its first row is '0,1'"),
    "no header, decimal commas": ("0,5;1,0\n1,0;2,0\n", "no header"),
    "no header, a comment": ("# by me\n0,1,2\n", "no header"),
    "two columns": ("t,u,u\n0,1,2\n", "2 columns 'u'"),
    "another letter": ("T,u\n0,1\n", "no column 't', but T, u in line 1", "rename 'T' to 't'"),
    "a title in the columns": (
        "Run 7;;\nt;u;w\n0;1;2\n",
        "row 1 (line 2) has the value 'u' under an empty name",
        "line 1 was taken for the names",
    ),
    "an empty last name": ("t,u,\n0,0,5\n", "the value '5' under an empty name"),
    "an empty name between": ("t,,u\n0,5,7\n", "the value '5' under an empty name"),
    "numbers that R may have named": ('"id","t","u"\n"a",0,0,5\n', "has 4 values", "decimal comma"),
    "NA": ("t,u\n0,1\n1,NA\n", "column 'u' holds 'NA' in row 2 (line 3)", "in every row"),
    "an empty cell": ("t;u\n;1\n", "column 't' holds nothing in row 1 (line 2)"),
    "an empty cell at the end": ("t,u\n0,1\n0,\n", "column 'u' holds nothing in row 2 (line 3)"),
    "text": ("t,u\n0,1\n1,warm\n", "column 'u' holds 'warm' in row 2 (line 3)"),
    "words below the header": ("t,u\nabc,def\n0,1\n", "column 't' holds 'abc' in row 1 (line 2)"),
    "units in the middle": ("t,u\n0,1\n[s],[m]\n", "column 't' holds '[s]' in row 2 (line 3)"),
    "truth": ("t,u\n0,True\n", "holds 'True'"),
    "an underscore": ("t,u\n0,1_000\n", "holds '1_000'"),
    "a hexadecimal number": ("t,u\n0,0x10\n", "holds '0x10'"),
    "a percentage": ("t;u\n0;5%\n", "holds '5%'"),
    "thousands": ('t,u\n0,"1,234.5"\n', "holds '1,234.5'", "nothing between thousands"),
    "German thousands": ("t;u\n0;1.234,5\n", "holds '1.234,5'", "one decimal mark"),
    "millions": ("t;u\n0,5;1,234,567\n", "holds '1,234,567'"),
    "thousands by blanks, decimal commas": ("t;u\n0;1 234,5\n", "holds '1 234,5'", "plain number"),
    "thousands by blanks": ("t;u\n0;1 234\n", "holds '1 234'"),
    "thousands in the middle": (
        "t;u\n0,5;6,5\n1,5;1.023,45\n",
        "column 'u' holds '1.023,45' in row 2 (line 3); expected one decimal mark",
    ),
    "perhaps thousands beside years": ('t,u\n1990,"248,709"\n', "may be 248.709 or 248709"),
    "perhaps thousands beside more": ("t;u\n12345;1,234\n0;2,345\n", "may be 1.234 or 1234"),
    "an error of a spreadsheet in front": (
        "t,u\n#N/A,1\n0,1\n",
        "column 't' holds '#N/A' in row 1 (line 2)",
    ),
    "an error of a spreadsheet": ("t;u\n0;#DIV/0!\n", "column 'u' holds '#DIV/0!' in row 1"),
    "perhaps units": ("t,u,flag\n1,1.1,A\n0,2,5\n", "line 2 may hold units or values: '1,1.1,A'"),
    "perhaps thousands": ("t;u\n1;1,234\n2;2,500\n", "may be 1.234 or 1234"),
    "two decimal marks": ("t;u\n0,5;0.25\n", "'t' holds '0,5' in row 1 (line 2), and 'u' holds"),
    "a rare decimal mark": (
        "t;u\n0,5;1,5\n1,5;0.25\n",
        "column 'u' holds '0.25' in row 2 (line 3), and 't' holds '0,5'",
    ),
    "not a number": ("t,u\n0,1\n0,nan\n", "not finite", "row 2"),
    "infinite": ("t,u\n0,-inf\n", "not finite", "row 1"),
    "a header alone": ("t,u\n", "no rows"),
    "a header and units": ("t,u\n[s],[m]\n", "no rows"),
    "nothing": ("", "no rows"),
    "comments alone": ("# t,u\n", "no rows"),
    "binary data": (b"\x80\x04\x95\x00\x00t,u", "binary data"),
    "a renamed archive": (b"PK\x03\x04" + bytes(200), "ZIP archive", "expected text"),
    "zeros alone": (bytes(200), "binary data"),
    "half of UTF-16": ("t,u\n0,1\n".encode("utf-16")[:-1], "cannot read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    content, *expected = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        read_table(table(tmp_path, content), ["t", "u"])
    for part in expected:
        assert part in str(caught.value)


NUMBERS = st.floats(-1e12, 1e12) | st.integers(-(10**9), 10**9)
WORDS = st.text("abc XYZ.", max_size=8)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_round_trips_in_any_dialect(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Whatever `csv` writes is read as it was, or refused where decimal commas are doubtful."""
    separator = data.draw(st.sampled_from(sorted(set(NAMES) - {" "})))
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    names = data.draw(st.permutations(["t", "u", "label"]))
    rows = data.draw(st.lists(st.tuples(NUMBERS, NUMBERS, WORDS), min_size=1, max_size=30))
    point = data.draw(st.sampled_from(".," if separator != "," or quoting else "."))
    stream = io.StringIO()
    writer = csv.writer(
        stream, delimiter=separator, quoting=quoting, lineterminator=data.draw(ENDS)
    )
    writer.writerow(names)
    for row in rows:
        cells = dict(zip(("t", "u", "label"), row, strict=True))
        written = {n: repr(v).replace(".", point) for n, v in cells.items() if n != "label"}
        writer.writerow([(written | {"label": cells["label"]})[name] for name in names])
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    file = table(tmp_path_factory.mktemp("dialect"), stream.getvalue().encode(encoding))
    try:
        found = read_table(file, ["u", "t"])
    except ConfigError as error:
        assert point == "," and "which may be" in str(error)
        return
    assert list(found["t"]) == [float(row[0]) for row in rows]
    assert list(found["u"]) == [float(row[1]) for row in rows]


ENDS = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=300, deadline=None)
@given(text=st.text('tu,; \t\n"#0123456789.eE-[]NA\r|', max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text ends in another exception, and what is read has a number for each row with values."""
    file = table(tmp_path_factory.mktemp("any"), "t,u\n" + text)
    try:
        found = read_table(file, ["t", "u"])
    except ConfigError:
        return
    assert len(found["t"]) == len(found["u"]) <= text.count("\n") + text.count("\r") + 1
    assert np.isfinite(found["t"]).all()


def test_long_tables(tmp_path: Path) -> None:
    """Both ways to read give the same: NumPy's parser, and cell by cell where rows are uneven."""
    values = np.random.default_rng(0).random((20_000, 2)) * [2000, 1]
    text = "\n".join(f"{t:.9g},{u:.9g}" for t, u in values)
    plain = read_table(table(tmp_path, "t,u\n" + text), ["t", "u"])
    decimal = read_table(
        table(tmp_path, "t;u\n" + text.replace(",", ";").replace(".", ",")), ["t", "u"]
    )
    uneven = read_table(table(tmp_path, "t,u\n" + text + "\n1,2,"), ["t", "u"])
    for name in ("t", "u"):
        assert (plain[name] == decimal[name]).all()
        assert (plain[name] == uneven[name][:-1]).all()


def test_names_of_columns(tmp_path: Path) -> None:
    found = open_table(table(tmp_path, "T [s],u,\n0,1,\n"))
    assert found.names == ("T", "u", "") and found.units("T") == "s"
    assert (found.near("t"), found.near("U"), found.near("w")) == ("T [s]", "u", "")
    both = open_table(table(tmp_path, "t [s],T [°C]\n0,1\n"))
    assert (both.near("t"), both.near("T")) == ("t [s]", "T [°C]")


@pytest.mark.parametrize(
    ("header", "names", "units"),
    [
        ("t [s],u (m/s)", ("t", "u"), ("s", "m/s")),
        ("t,u\n[s],[m]", ("t", "u"), ("s", "m")),
        ("t[ms],u", ("t", "u"), ("ms", "")),
        # What could be either keeps its whole name.
        ("t [s],t [h]", ("t [s]", "t [h]"), ("", "")),
        ("u(x),u", ("u(x)", "u"), ("", "")),
        ("u [m],u", ("u [m]", "u"), ("", "")),
    ],
)
def test_units_in_the_header_are_no_part_of_a_name(
    tmp_path: Path, header: str, names: tuple[str, ...], units: tuple[str, ...]
) -> None:
    found = open_table(table(tmp_path, f"{header}\n0,1\n2,3\n"))
    assert found.names == names
    assert tuple(found.units(name) for name in names) == units
    assert [list(column) for column in found.rows(names).values()] == [[0, 2], [1, 3]]


@pytest.mark.parametrize("row", ["1,1.1,A", "1,11,m", "-1,1,s", "1,1,min", "1,-1,-"])
def test_a_first_row_of_values_is_not_taken_for_units(tmp_path: Path, row: str) -> None:
    file = table(tmp_path, f"t,u,flag\n{row}\n0,2,B\n")
    assert list(read_table(file, ["t", "u"])["t"]) == [float(row.split(",")[0]), 0]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_row_of_another_length_is_never_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A value too many, or one too few, anywhere: no column is shifted in silence."""
    separator = data.draw(st.sampled_from(sorted(NAMES)))
    quote = data.draw(st.sampled_from(["", '"']))
    names = data.draw(st.permutations(["t", "u", "w"]))
    count = data.draw(st.integers(1, 130))
    rows = [[f"{quote}{i + k / 8}{quote}" for k in range(3)] for i in range(count)]
    wrong = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    more = data.draw(st.booleans())
    for i in wrong:
        place = data.draw(st.integers(0, 2))
        rows[i][place : place + 1] = [rows[i][place], "7"] if more else []
    text = "\n".join(separator.join(row) for row in [names, *rows])
    with pytest.raises(ConfigError, match=rf"row {min(wrong) + 1} \(line {min(wrong) + 2}\) has"):
        read_table(table(tmp_path_factory.mktemp("torn"), text), ["t", "u"])

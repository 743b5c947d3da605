"""Data from every kind of file: what is read, what is told, what is refused and with which words."""

from __future__ import annotations

import gzip
import struct
import zipfile
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

import xent
from xent.data import load, split
from xent.errors import InputError, UnknownNameError


def write(path, text):
    path.write_text(text)
    return path


def idx(path, array, kind=0x08):
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    body = head + array.astype({0x08: ">u1", 0x0D: ">f4"}[kind]).tobytes()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)


class Frame:
    """What of pandas' DataFrame is used: the names of its columns, and columns that become lists."""

    def __init__(self, columns):
        self.data = {name: np.asarray(values, dtype=object) for name, values in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name):
        return self.data[name]


COLUMNS = {"a": [1.0, 2.0, float("nan"), 4.0, 5.0, 6.0], "kind": list("uvuvuv"), "y": list("pqpqpq")}


def test_a_table_in_memory_is_read_as_its_file_is(tmp_path):
    frame = pl.DataFrame(COLUMNS)
    frame.write_parquet(tmp_path / "t.parquet")
    filed = xent.data.load(tmp_path / "t.parquet", target="y", missing="fill")
    for table in (frame, Frame(COLUMNS)):
        held = xent.data.load(table, target="y", missing="fill")
        assert (held.name, held.classes, held.features, held.notes) == ("table", filed.classes, filed.features, filed.notes)
        np.testing.assert_array_equal(held.x, filed.x)
        np.testing.assert_array_equal(held.y, filed.y)
        assert held.fingerprint == replace(filed, name="table").fingerprint
    absent = type("NAType", (), {})()
    filled = xent.data.load(Frame(COLUMNS | {"a": [1.0, 2.0, absent, 4.0, 5.0, 6.0]}), target="y", missing="fill")
    np.testing.assert_array_equal(filled.x, held.x)
    twice = Frame(COLUMNS)
    twice.columns = ["a", "a", "y"]
    with pytest.raises(InputError, match="more than one column named 'a'"):
        xent.data.load(twice, target="y")
    with pytest.raises(InputError, match=r"which column of table .*target=.*a, kind, y"):
        xent.data.load(frame)


def test_arrays_in_memory():
    x, y = datasets.load_iris(return_X_y=True)
    held = xent.data.load((x, y))
    np.testing.assert_array_equal(held.x, x)
    np.testing.assert_array_equal(held.y, y)
    assert held.classes == ("0", "1", "2")
    assert xent.data.load((x, np.asarray(["a", "b", "c"], dtype=object)[y])).classes == ("a", "b", "c")
    assert xent.data.load((x.tolist(), y.tolist())).fingerprint == held.fingerprint
    found = xent.race((x, y), xent.output("cross-entropy@softmax"), 2, rates=1, seeds=1, tuning_seeds=1, epochs=1, jobs=1)
    assert found.plan.data == "arrays"


NO_DATA = [
    (None, "NoneType came"),
    (3, "int came"),
    (np.ones((3, 2)), "ndarray came"),
    ("", "'' came"),
    ((np.ones((3, 2)), np.ones(4)), "one label for each of the 3 rows"),
    ((np.ones((3, 2)), np.eye(3)), "argmax"),
    ((np.ones((3, 2)), np.asarray(["a", None, "b"], dtype=object)), "one label"),
    (([["x"]], ["a"]), "real numbers"),
    ((np.ones((0, 2)), np.ones(0)), "no rows"),
    ((np.full((3, 1), np.nan), np.arange(3)), "nan in row 1"),
]


@pytest.mark.parametrize(("given", "says"), NO_DATA, ids=[says for _, says in NO_DATA])
def test_what_is_no_data(given, says):
    with pytest.raises(InputError, match=says):
        xent.data.load(given)


def test_outputs_that_are_none():
    for given, says in ((None, "a list of names"), (3, "a list of names"), ([], "at least one output")):
        with pytest.raises(InputError, match=says):
            xent.race("iris", given)


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "breast-cancer"])
def test_bundled(name):
    data = xent.data.load(name)
    theirs = getattr(datasets, f"load_{name.replace('-', '_')}")()
    np.testing.assert_allclose(data.x, theirs.data / (16 if name == "digits" else 1))
    np.testing.assert_array_equal(data.y, theirs.target)
    assert data.classes == tuple(map(str, theirs.target_names))


def test_csv_with_numbers_and_categories(tmp_path):
    rows = ["size,colour,kind"] + [f"{i / 4},{'red' if i % 3 else 'blue'},{'ab'[i % 2]}" for i in range(12)]
    data = load(write(tmp_path / "t.csv", "\n".join(rows)), "kind")
    assert data.features == ("size", "colour=blue", "colour=red")
    np.testing.assert_array_equal(data.x[:4], [[0, 1, 0], [0.25, 0, 1], [0.5, 0, 1], [0.75, 1, 0]])
    assert data.classes == ("a", "b")
    assert data.notes == (("categories", {"column": "colour", "n": "2", "kinds": "blue, red"}),)


def test_parquet_is_read_as_csv_is(tmp_path):
    table = pl.DataFrame({"x": [0.5, 1.5, -1.0] * 3, "flag": [True, False, True] * 3, "y": [0, 1, 0] * 3})
    table.write_parquet(tmp_path / "t.parquet")
    data = load(tmp_path / "t.parquet", "y")
    named = table.with_columns(pl.Series("flag", ["u", "v", "u"] * 3, dtype=pl.Categorical), pl.Series("x", [np.nan] + [1.0] * 8))
    named.write_parquet(tmp_path / "u.parquet")
    assert load(tmp_path / "u.parquet", "y", missing="drop").features == ("x", "flag=u", "flag=v")
    np.testing.assert_array_equal(data.x[:3], [[0.5, 1], [1.5, 0], [-1, 1]])
    assert data.classes == ("0", "1")


def test_classes_that_are_numbers_sort_as_numbers(tmp_path):
    text = "x,y\n" + "\n".join(f"{i},{(10, 9)[i % 2]}" for i in range(8))
    assert load(write(tmp_path / "t.csv", text), "y").classes == ("9", "10")


def test_missing_values(tmp_path):
    text = "x,c,y\n" + "\n".join(f"{i},{'uv'[i % 2]},{'ab'[i // 2 % 2]}" for i in range(20))
    lines = text.split("\n")
    lines[3], lines[8] = "NA,u,b", "7,,b"
    path = write(tmp_path / "t.csv", "\n".join(lines))
    with pytest.raises(InputError, match=r"rows 3, 8 \(columns: x, c; an empty cell is missing, and so are \?, na.*missing='fill'"):
        load(path, "y")
    assert len(load(path, "y", missing="drop")) == 18
    filled = load(path, "y", missing="fill")
    assert filled.features == ("x", "c=(missing)", "c=u", "c=v")
    assert np.isnan(filled.x[2, 0])
    parts = split(filled)
    known = filled.x[parts.rows[0], 0]
    mean = np.nanmean(known)
    scaled = (np.where(np.isnan(filled.x[:, 0]), mean, filled.x[:, 0]) - mean) / np.where(np.isnan(known), mean, known).std()
    np.testing.assert_allclose(parts.x_train[:, 0], scaled[parts.rows[0]])


def many(n=12, y="ab"):
    return "x,y\n" + "\n".join(f"{i},{y[i % len(y)]}" for i in range(n))


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("", "y", "empty"),
        ("x,y\n", "y", "no rows"),
        (many(), None, "--target.*x, y"),
        (many(), "yy", "did you mean 'y'"),
        (many(y="a"), "y", "one class only, 'a'"),
        (many(5, "abcde"), "y", "5 classes in 5 rows"),
        (many().replace("3,", "three,").replace("7,", "7cm,"), "y", r"'x' holds numbers, but not in rows 4, 8: 'three', '7cm'"),
        (many().replace("3,b", "3,"), "y", "target 'y' is missing in row 4"),
        (many().replace("3,", "inf,"), "y", "'x' is infinite in row 4"),
        ("y\na\nb\na\nb\na\nb\n", "y", "no other column"),
        ("x,y\n1,2,3,4\n", "y", "row 1 has 4 cells, the header 2"),
        ("n,y\n" + "\n".join(f"name{i % 150},{i % 2}" for i in range(200)), "y", "150 different texts"),
        ("n,y\n" + "\n".join(f"name{i},{i % 2}" for i in range(20)), "y", "20 different texts in 20 rows"),
        ("d,y\n" + "\n".join(f"2024-01-{1 + i % 9:02d},{i % 2}" for i in range(20)), "y", "'d' holds dates"),
        (many().replace(",", ";"), "y", "separated by semicolons"),
        (many().replace(",", "\t"), "y", "separated by tabs"),
        (many().replace(",", "|"), "y", "separated by vertical bars"),
        (many().replace("\n", "\r"), "y", "carriage returns"),
        (many().replace("x,y", ",y"), "y", r"column 1 has no name.*index=False"),
        (many().replace("\n", ",\n").replace("x,y,", "x,y,", 1), "y", "column 3 has no name"),
        *(
            ("n,y\n" + f'"{one}",a\n"{one}",b\n' * 5, "y", f"'n' holds numbers written for people.*{one}")
            for one in ("1,234", "-1.234.567,8", "12 345", "0,5", "5%", "3.5 %", "€ 5")
        ),
        *(
            ("d,y\n" + f'"{one}",a\n"{one}",b\n' * 6, "y", "'d' holds dates")
            for one in ("1/31/2024", "31.1.2024", "2024/1/31", "2024年1月31日", "2024-01-31 12:00", "31.01.2024, 12:00")
        ),
        (many().replace("x,y", "x,x,y").replace("\n", "\n0,").replace("0,x", "x", 1), "y", "more than one column named 'x'"),
        (many().replace("3,", "3e200,"), "y", r"'x' is 3e\+200, too large"),
        (many(), "Y", "did you mean 'y'"),
    ],
)
def test_bad_tables(tmp_path, text, target, says):
    with pytest.raises(InputError, match=says):
        load(write(tmp_path / "t.csv", text), target)


@pytest.mark.parametrize(
    ("encoding", "says"), [("utf-16", "no text in UTF-8"), ("latin-1", "no text in UTF-8"), ("utf-8-sig", None)]
)
def test_text_that_is_not_utf_8(tmp_path, encoding, says):
    (tmp_path / "t.csv").write_bytes(many(y="éb").encode(encoding))
    if says is None:  # a byte-order mark is no part of the first name
        assert load(tmp_path / "t.csv", "y").features == ("x",)
        return
    with pytest.raises(InputError, match=says):
        load(tmp_path / "t.csv", "y")


def test_long_numbers_stay_different_classes(tmp_path):
    text = "x,y\n" + "\n".join(f"{i},{2**53 + i % 2}" for i in range(9))
    assert load(write(tmp_path / "t.csv", text), "y").classes == ("9007199254740992", "9007199254740993")


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pl.Series("x", [[1]] * 9), "'x' holds List"),
        (pl.Series("x", [b"1"] * 9), "'x' holds Binary"),
        (pl.Series("x", [date(2024, 1, 1 + i) for i in range(9)]), "'x' holds Date"),
        (pl.Series("y", [[1]] * 9), "target 'y' holds List"),
    ],
)
def test_columns_that_are_neither(tmp_path, column, says):
    table = pl.DataFrame({"x": range(9), "y": [0, 1, 0] * 3}).with_columns(column)
    table.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=says):
        load(tmp_path / "t.parquet", "y")


def test_a_class_too_rare_to_split(tmp_path):
    data = load(write(tmp_path / "t.csv", many(12) + "\n1,c\n2,c"), "y")
    with pytest.raises(InputError, match="class 'c' has 2 rows"):
        split(data)


@pytest.mark.parametrize("name", ["digts", "no.csv", "two-class(margn=1)", "two-class(n=3)", "two-class(noise=x)", "two-class(1"])
def test_bad_names(name):
    with pytest.raises(InputError, match=r"did you mean|there is no file|two-class"):
        load(name)
    with pytest.raises(InputError, match="leave the target"):
        load("iris", "species")
    with pytest.raises(UnknownNameError, match="'fill'"):
        load("iris", missing="fil")


def test_an_unknown_kind_of_file(tmp_path):
    with pytest.raises(InputError, match=r"\.csv, \.parquet, \.npz"):
        load(write(tmp_path / "t.xlsx", "x"))


def test_npz(tmp_path):
    x, y = np.arange(48.0).reshape(12, 2, 2), np.asarray(["b", "a", "a"] * 4)
    np.savez(tmp_path / "t.npz", x=x, y=y)
    data = load(tmp_path / "t.npz")
    assert data.x.shape == (12, 4)
    assert data.classes == ("a", "b")
    np.savez(tmp_path / "u.npz", x=x, z=y)
    assert load(tmp_path / "u.npz", "z").classes == ("a", "b")
    with pytest.raises(UnknownNameError, match="'y'"):
        load(tmp_path / "u.npz")


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_npz_is_never_unpickled(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.asarray([Trap(tmp_path / "sprung")] * 3, dtype=object), y=np.zeros(3))
    with pytest.raises(InputError, match="pickled objects, which are not opened"):
        load(tmp_path / "t.npz")
    np.savez(tmp_path / "u.npz", x=np.eye(9), y=np.arange(9) % 2, note=np.asarray([Trap(tmp_path / "sprung")], dtype=object))
    assert len(load(tmp_path / "u.npz")) == 9  # what else the file holds is left alone
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.zeros((4, 1)), "y": np.zeros(3)}, "one label for each of the 4 rows"),
        ({"x": np.full((9, 1), np.nan), "y": np.arange(9) % 2}, "nan in row 1"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "empty"),
        ({"x": np.asarray(["a", "b"]), "y": np.zeros(2)}, "real numbers"),
    ],
)
def test_bad_npz(tmp_path, arrays, says):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match=says):
        load(tmp_path / "t.npz")
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "broken.npz")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.eye(3))
    with pytest.raises(InputError, match="a single array"):
        load(tmp_path / "single.npz")
    with zipfile.ZipFile(tmp_path / "texts.npz", "w") as made:
        made.writestr("x", "1")
        made.writestr("y", "1")
    with pytest.raises(InputError, match="x is no array"):
        load(tmp_path / "texts.npz")


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_folder(tmp_path, end):
    images, labels = np.arange(40 * 4).reshape(40, 2, 2) % 256, np.arange(40) % 4
    for name, part in (("train", slice(0, 32)), ("t10k", slice(32, 40))):
        idx(tmp_path / f"{name}-images-idx3-ubyte{end}", images[part])
        idx(tmp_path / f"{name}-labels-idx1-ubyte{end}", labels[part])
    data = load(tmp_path)
    order = [*range(32, 40), *range(32)]
    np.testing.assert_array_equal(data.x, images[order].reshape(40, 4) / 255)
    np.testing.assert_array_equal(data.y, labels[order])
    parts = split(data)
    assert parts.rows[2].tolist() == list(range(8))  # the files' own test part
    assert len(split(data, anew=True).rows[2]) == 8
    assert split(data, anew=True).rows[2].tolist() != list(range(8))


def test_idx_files_know_their_classes(tmp_path):
    idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(3))
    with pytest.raises(InputError, match="leave the target 'kind' out"):
        load(tmp_path, "kind")


def test_idx_of_floats_and_broken_ones(tmp_path):
    idx(tmp_path / "a-images-idx3-ubyte", np.ones((9, 1, 2)) * 0.5, 0x0D)
    idx(tmp_path / "a-labels-idx1-ubyte", np.arange(9) % 3)
    data = load(tmp_path)
    assert (data.scaling, data.x[0, 0]) == ("standard", 0.5)
    path = tmp_path / "a-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="is it cut off"):
        load(tmp_path)
    path.write_bytes(b"\1\2\3\4")
    with pytest.raises(InputError, match="no IDX file"):
        load(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="stands without its images"):
        load(tmp_path)
    (tmp_path / "a-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="holds no IDX files"):
        load(tmp_path)


def test_dials_of_the_synthetic_set():
    data = load("two-class(margin=3, imbalance=0.1, noise=0.05, n=2000, features=3, seed=4)")
    clean = load("two-class(margin=3, imbalance=0.1, n=2000, features=3, seed=4)")
    assert data.x.shape == (2000, 3)
    assert int(clean.y.sum()) == 200
    assert int((data.y != clean.y).sum()) == 100
    gap = clean.x[clean.y == 1].mean(0) - clean.x[clean.y == 0].mean(0)
    np.testing.assert_allclose(gap, [3, 0, 0], atol=0.3)
    assert data.fingerprint == load("two-class(margin=3, imbalance=0.1, noise=0.05, n=2000, features=3, seed=4)").fingerprint
    assert data.fingerprint != clean.fingerprint


@pytest.mark.parametrize("name", ["digits", "wine", "two-class(imbalance=0.02, n=300)"])
def test_a_split_is_stratified_and_knows_only_its_training_part(name):
    data = load(name)
    parts = split(data, seed=3)
    assert sorted(np.concatenate(parts.rows).tolist()) == list(range(len(data)))
    for rows, share in zip(parts.rows, (0.6, 0.2, 0.2), strict=True):
        for place in range(len(data.classes)):
            all_of_it = int((data.y == place).sum())
            assert abs((data.y[rows] == place).sum() - share * all_of_it) <= 1
    if data.scaling == "standard":
        np.testing.assert_allclose(parts.x_train.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(parts.x_train.std(0), 1)
        train = data.x[parts.rows[0]]
        np.testing.assert_allclose(parts.x_test, (data.x[parts.rows[2]] - train.mean(0)) / train.std(0))
    assert split(data, seed=3).rows[0].tolist() == parts.rows[0].tolist() != split(data, seed=4).rows[0].tolist()


def test_a_given_test_part_has_no_say_in_how_the_others_are_drawn():
    """Whatever is written on the test rows, the same rows teach and the same rows tune."""
    data = load("wine")
    given = np.arange(len(data)) % 4 == 0
    turned = np.where(given, (data.y + 1) % 3, data.y)
    one, other = (split(replace(data, y=y, test=given), seed=5) for y in (data.y, turned))
    for part in ("x_train", "y_train", "x_tuning", "y_tuning", "x_test"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


def test_shares_that_are_none():
    with pytest.raises(InputError, match="sum to 1"):
        split(load("iris"), shares=(0.6, 0.3, 0.3))

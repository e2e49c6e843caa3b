"""Data sets are the publishers' bytes or none; the simulated one is what its formulas say."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from dataclasses import replace

import numpy as np
import pandas
import pytest
from gnomon.models.datasets import adult, compas, files, mnist, simulated
from gnomon.models.datasets.files import File, fetch
from gnomon.models.errors import DataError

TRAIN = (
    "41, Private, 1001, Masters, 14, Divorced, Sales, Unmarried, White, Female, 0, 0, 38, Italy, <=50K\n"
    "63, ?, 1002, HS-grad, 9, Widowed, ?, Not-in-family, Other, Male, 500, 0, 20, Cuba, >50K\n\n"
)
TEST = (
    "|1x3 Cross validator\n"
    "22, Private, 1003, 12th, 8, Never-married, Sales, Own-child, Black, Female, 0, 0, 25, ?, <=50K.\n"
    "57, Federal-gov, 1004, Doctorate, 16, Divorced, Sales, Unmarried, White, Male, 0, 9, 45, Japan, >50K.\n"
)
COMPAS = (
    "id,name,first,last,dob,sex,age,race,decile_score,priors_count,c_case_number,r_case_number,vr_case_number,"
    "decile_score,score_text,priors_count,two_year_recid\r\n"
    '1,a b,a,b,1901-02-03,Male,50,Other,2,1,c1,,,2,"Low",1,0\r\n'
    "2,c d,c,d,1902-03-04,Female,40,Caucasian,9,4,c2,r2,,9,High,4,1\r\n"
)


def file_of(content: bytes, url: str = "https://example.org/none") -> File:
    return File("table.txt", url, (hashlib.sha256(content).hexdigest(),))


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No data set is at hand, and the cache is empty."""
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# Where files come from


@pytest.mark.parametrize("name, pack", [("table.txt", bytes), ("table.txt.gz", gzip.compress)])
def test_a_local_file_is_read_plain_or_zipped(name, pack, tmp_path):
    (tmp_path / name).write_bytes(pack(b"rows"))
    assert fetch("set", file_of(b"rows"), tmp_path) == b"rows"


def test_the_variable_names_a_folder_with_one_folder_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(tmp_path))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "table.txt").write_bytes(b"rows")
    assert fetch("set", file_of(b"rows")) == b"rows"


def test_without_the_file_one_line_says_how_to_get_it():
    with pytest.raises(DataError) as caught:
        fetch("set", file_of(b"rows"))
    for part in ("table.txt", "https://example.org/none", "GNOMON_DATA", "--download"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_folder_without_the_file_is_answered_without_the_variable(tmp_path):
    with pytest.raises(DataError, match=f"in {tmp_path}; get it from https://example.org/none, or name no folder"):
        fetch("set", file_of(b"rows"), tmp_path, download=True)


def test_a_download_is_checked_and_kept(tmp_path):
    source = tmp_path / "publisher.gz"
    source.write_bytes(gzip.compress(b"rows"))
    file = file_of(b"rows", source.as_uri())
    with pytest.raises(DataError):
        fetch("set", file)
    assert fetch("set", file, download=True) == b"rows"
    source.unlink()
    assert fetch("set", file) == b"rows"
    assert [path.name for path in (files.cache_folder() / "set").iterdir()] == ["table.txt"]


@pytest.mark.parametrize("content", [b"other rows", b"\x1f\x8b\x08 no gzip", b""])
def test_a_wrong_download_is_refused_and_not_kept(content, tmp_path):
    source = tmp_path / "publisher"
    source.write_bytes(content)
    with pytest.raises(DataError):
        fetch("set", file_of(b"rows", source.as_uri()), download=True)
    assert not files.cache_folder().exists()


def test_a_publisher_that_does_not_answer_is_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch("set", file_of(b"rows", (tmp_path / "none").as_uri()), download=True)


def test_a_changed_local_file_is_refused(tmp_path):
    (tmp_path / "table.txt").write_bytes(b"rowz")
    with pytest.raises(DataError, match="damaged or another version"):
        fetch("set", file_of(b"rows"), tmp_path)


# Their forms


def test_adult_is_read_without_dots_spaces_and_question_marks():
    train, test = adult.parse(TRAIN, "train"), adult.parse(TEST, "test")
    assert list(train) == list(adult.COLUMNS)
    assert train["income"].tolist() == ["<=50K", ">50K"] == test["income"].tolist()
    assert train["workclass"].isna().tolist() == [False, True]
    assert test["native-country"].isna().tolist() == [True, False]
    assert train["age"].tolist() == [41, 63]
    assert set(adult.NUMERIC) | set(adult.CATEGORICAL) | {"income", "fnlwgt"} == set(adult.COLUMNS)


def test_both_files_of_adult_make_one_table_that_knows_its_split(tmp_path, monkeypatch):
    for split, content in (("train", TRAIN), ("test", TEST)):
        file = replace(adult.FILES[split], sha256=(hashlib.sha256(content.encode()).hexdigest(),))
        monkeypatch.setitem(adult.FILES, split, file)
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(content.encode()))
    assert adult.load(tmp_path)["split"].tolist() == ["train", "train", "test", "test"]


def test_persons_are_removed_from_compas_and_nothing_else():
    kept = compas.without_persons(COMPAS.encode())
    assert compas.without_persons(kept) == kept
    assert b"1901" not in kept
    before, after = pandas.read_csv(io.StringIO(COMPAS)), compas.parse(kept)
    assert list(after) == [name for name in before if name not in compas.PERSONAL] + ["predicted"]
    pandas.testing.assert_frame_equal(after.drop(columns="predicted"), before.drop(columns=list(compas.PERSONAL)))
    assert after["predicted"].tolist() == [0, 1]
    assert {"decile_score", "decile_score.1"} < set(after)


def test_the_raw_compas_file_is_accepted_as_well(tmp_path, monkeypatch):
    digest = hashlib.sha256(compas.without_persons(COMPAS.encode())).hexdigest()
    monkeypatch.setitem(compas.FILES, "general", replace(compas.FILES["general"], sha256=(digest,)))
    (tmp_path / "compas-scores-two-years.csv").write_bytes(COMPAS.encode())
    assert "name" not in compas.load(tmp_path)
    (tmp_path / "compas-scores-two-years.csv").write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        compas.load(tmp_path)


def test_idx_files_are_read_by_their_header():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(mnist.parse(idx(array)), array)


@pytest.mark.parametrize("content", [b"", b"\x89PNG", idx(np.zeros(5, np.uint8))[:-1], b"\0\0\x0d\1" + bytes(8)])
def test_what_is_no_idx_file_is_refused(content):
    with pytest.raises(DataError, match="get the MNIST files again"):
        mnist.parse(content)


# The simulated population


GROUPS = [
    {},
    *({"sex": sex} for sex in simulated.LEVELS["sex"]),
    *({"origin": origin} for origin in simulated.LEVELS["origin"]),
    *({"sex": sex, "origin": origin} for sex in simulated.LEVELS["sex"] for origin in simulated.LEVELS["origin"]),
]


@pytest.fixture(scope="module")
def population():
    return simulated.credit(400_000, seed=7)


@pytest.mark.parametrize("label", ["repaid", "repays"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_the_drawn_rates_are_those_of_the_closed_form(group, label, population):
    rows = population
    for name, level in group.items():
        rows = rows[rows[name] == level]
    good, chosen = rows[label] == 1, rows["approved"] == 1
    truth = simulated.truth(**group, label=label)
    for found, of, expected in (
        (good.mean(), len(rows), truth.base_rate),
        (chosen.mean(), len(rows), truth.selection_rate),
        (chosen[good].mean(), good.sum(), truth.true_positive_rate),
        (chosen[~good].mean(), (~good).sum(), truth.false_positive_rate),
    ):
        assert abs(found - expected) < 4.5 * np.sqrt(expected * (1 - expected) / of)


def test_the_planted_disparities_are_there():
    women, men = simulated.truth("Female"), simulated.truth("Male")
    assert men.base_rate - women.base_rate > 0.1
    assert men.selection_rate - women.selection_rate > 0.3
    lost = {
        origin: simulated.truth(None, origin, "repays").base_rate - simulated.truth(None, origin, "repaid").base_rate
        for origin in simulated.LEVELS["origin"]
    }
    assert lost["foreign"] > 3 * lost["domestic"] > 0


def test_a_postcode_tells_the_origin_and_causes_nothing(population):
    known = population[population["origin"].notna()]
    shares = (known["origin"] == "foreign").groupby(known["postcode"]).mean()
    told = simulated.foreign_given_postcode()
    assert list(told) == sorted(shares.index)
    assert all(abs(shares[code] - share) < 0.03 for code, share in told.items())
    domestic = population[population["origin"] == "domestic"]
    rates = domestic.groupby("postcode")["repays"].agg(["mean", "size"])
    expected = simulated.truth(None, "domestic", "repays").base_rate
    assert (abs(rates["mean"] - expected) < 4.5 * np.sqrt(expected * (1 - expected) / rates["size"])).all()


def test_some_groups_are_unknown_more_often_than_others(population):
    assert population["sex"].isna().mean() == pytest.approx(0.01, abs=0.001)
    assert population["origin"].isna().mean() == pytest.approx(0.75 * 0.04 + 0.25 * 0.10, abs=0.002)


def test_a_seed_makes_a_population():
    pandas.testing.assert_frame_equal(simulated.credit(50, 1), simulated.credit(50, 1))
    assert not simulated.credit(50, 1).equals(simulated.credit(50, 2))
    assert len(simulated.credit(1)) == 1


def test_impossible_populations_are_refused():
    with pytest.raises(DataError, match="at least 1"):
        simulated.credit(0)
    with pytest.raises(DataError, match="no group sex=female"):
        simulated.truth("female")


# The real data


@pytest.mark.data
def test_adult_has_the_published_counts(data_folder):
    frame = adult.load(data_folder / "adult")
    assert len(frame) == 48_842
    assert frame["split"].value_counts().to_dict() == {"train": 32_561, "test": 16_281}
    counts = {sex: ((rows == ">50K").sum(), len(rows)) for sex, rows in frame.groupby("sex")["income"]}
    assert counts == {"Female": (1_769, 16_192), "Male": (9_918, 32_650)}
    assert len(frame.dropna()) == 45_222
    assert (frame["race"].value_counts().reindex(adult.LEVELS["race"])).tolist() == [470, 1_519, 4_685, 406, 41_762]


@pytest.mark.data
def test_compas_has_propublicas_counts(data_folder):
    frame = compas.load(data_folder / "compas")
    assert len(frame) == 7_214

    def table(rows):
        cells = rows.groupby(["predicted", "two_year_recid"]).size()
        return tuple(int(cells[cell]) for cell in ((1, 1), (1, 0), (0, 0), (0, 1)))

    assert table(frame) == (2_035, 1_282, 2_681, 1_216)
    assert table(frame[frame["race"] == "African-American"]) == (1_369, 805, 990, 532)
    assert table(frame[frame["race"] == "Caucasian"]) == (505, 349, 1_139, 461)
    assert len(compas.load(data_folder / "compas", table="violent")) == 4_743


@pytest.mark.data
def test_mnist_has_the_known_counts(data_folder, monkeypatch):
    monkeypatch.setenv("GNOMON_DATA", str(data_folder))
    digits = mnist.load()
    assert digits.train.images.shape == (60_000, 28, 28)
    assert digits.test.images.shape == (10_000, 28, 28)
    assert np.bincount(digits.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(digits.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.train.images.mean() / 255 == pytest.approx(0.13066, abs=1e-5)

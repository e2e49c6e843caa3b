"""Rows keep their identity however they are held, cut or read; and what is wrong with them is said in one line."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest
import torch
from gnomon.models import Attribute, Binary, GnomonError, Multiclass, Regression, Subject
from gnomon.models.data import from_tensors
from gnomon.models.errors import DataError, SubjectError
from gnomon.models.frames import MISSING, OTHER, encode, fit_encoding, from_frame
from gnomon.models.labels import Coded, code, text
from gnomon.models.loaders import from_loader
from gnomon.models.predictions import read_predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

N = 11
TASK = Binary()


@pytest.fixture
def frame() -> pandas.DataFrame:
    draw = np.random.default_rng(3)
    return pandas.DataFrame(
        {
            "age": draw.integers(20, 60, N),
            "job": ["clerk", "nurse", None, "clerk", "cook", "nurse", "clerk", "cook", "clerk", "nurse", "cook"],
            "sex": ["F", "M", "F", None, "M", "F", "M", "M", "F", "F", "M"],
            "hired": [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1],
            "said": [0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0],
            "score": [0.1, 0.9, 0.2, 0.3, 0.8, 0.7, 0.4, 0.6, 0.5, 0.1, 0.2],
        }
    )


class Pairs(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        return torch.tensor([float(row)]), row % 2


class Stream(IterableDataset):
    """Samples that carry their row number; `share` gives each worker its own."""

    def __init__(self, order, share=True):
        self.order, self.share = order, share

    def __len__(self):
        return N

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        mine = self.order[info.id :: info.num_workers] if info and self.share else self.order
        for row in mine:
            yield {"row": row, "x": torch.tensor([float(row)]), "y": row % 2}


def sources(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job"])
    x = torch.arange(float(N))[:, None]
    groups = {"sex": frame["sex"]}
    return {
        "tensors": from_tensors(x, frame["hired"].to_numpy(), task=TASK, groups=groups),
        "keywords": from_tensors({"a": x, "b": x}, None, task=TASK, groups=groups),
        "frame": from_frame(frame, encoding, target="hired", sensitive=["sex"], task=TASK),
        "dataset": from_loader(Pairs(), task=TASK, groups=groups),
        "loader": from_loader(
            DataLoader(Pairs(), batch_size=4, shuffle=True, drop_last=True), task=TASK, groups=groups
        ),
        "iterable": from_loader(Stream([*range(N)]), task=TASK, row="row", groups=groups),
        "decisions": read_predictions(frame, target="hired", prediction="said", sensitive=["sex"])[0],
        "scores": read_predictions(frame, target="hired", score="score", sensitive=["sex"])[0],
    }


def joined(data, size):
    batches = list(data.batches(size))
    assert max(map(len, batches)) <= size

    def column(of):
        parts = [of(batch) for batch in batches]
        return None if parts[0] is None else np.concatenate([np.asarray(part) for part in parts])

    def inputs(batch):
        held = list(batch.inputs.values()) if isinstance(batch.inputs, dict) else list(batch.inputs)
        return torch.cat([part.double() for part in held], 1) if held else None

    fields = ("rows", "targets", "groups", "scores", "decisions")
    return {
        "inputs": column(inputs),
        **{name: column(lambda batch, name=name: getattr(batch, name)) for name in fields},
    }


NAMES = ["tensors", "keywords", "frame", "dataset", "loader", "iterable", "decisions", "scores"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_however_rows_are_cut_they_are_the_same_rows(name, size, frame):
    data = sources(frame)[name]
    whole, cut = joined(data, N), joined(data, size)
    assert whole["rows"].tolist() == list(range(N)) == cut["rows"].tolist()
    assert len(data) == N
    for field, values in whole.items():
        np.testing.assert_array_equal(values, cut[field])


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_targets_are_int64_codes_with_unknown_as_minus_one(name, frame):
    data = sources(frame)[name]
    whole = joined(data, N)
    assert data.people == (Attribute("sex", ("F", "M")),)
    assert whole["groups"][:, 0].tolist() == [0, 1, 0, -1, 1, 0, 1, 1, 0, 0, 1]
    assert whole["groups"].dtype == np.int64
    assert whole["targets"] is None or whole["targets"].dtype == np.int64


# Labels and levels


@given(st.lists(st.sampled_from(["b", "a", "10", "9", "", None, "c c"]), min_size=1), st.randoms())
@settings(deadline=None)
def test_levels_do_not_depend_on_the_order_of_rows(labels, random):
    order = list(range(len(labels)))
    random.shuffle(order)
    first, second = code("g", labels), code("g", [labels[k] for k in order])
    assert first.levels == second.levels
    assert first.codes[order].tolist() == second.codes.tolist()
    named = [(*first.levels, "")[k] for k in first.codes]
    assert named == [label or "" for label in labels]


@pytest.mark.parametrize(
    "values, levels",
    [
        ([2, 10, 9], ("2", "9", "10")),
        ([2.0, 10.0, np.nan], ("2", "10")),
        ([0.5, 2.0], ("0.5", "2")),
        ([True, False], ("False", "True")),
        (["b", "a", ""], ("a", "b")),
        (pandas.array([1, None, 3], dtype="Int64"), ("1", "3")),
        (pandas.Categorical(["b"], categories=["b", "a"]), ("a", "b")),
        (pandas.Categorical(["old"], categories=["young", "old"], ordered=True), ("young", "old")),
        (torch.tensor([3, 1]), ("1", "3")),
    ],
)
def test_levels_are_written_without_point_zero_and_sorted_unless_declared(values, levels):
    assert code("g", values).levels == levels


def test_blanks_around_a_value_do_not_make_another_level():
    assert code("g", [" x", "x", "x ", " "]).codes.tolist() == [0, 0, 0, -1]
    assert code("g", pandas.Categorical([" x", "x"], categories=["x", " x"], ordered=True)).levels == ("x",)
    assert code("g", pandas.Categorical(["x", " "], categories=["x", " "])).codes.tolist() == [0, -1]
    assert code("g", ["x"], [" x"]).codes.tolist() == [0]


def test_declared_levels_keep_their_order_and_empty_ones_stay():
    coded = code("g", ["b", None, "a"], ["b", "never", "a"])
    assert coded.levels == ("b", "never", "a")
    assert coded.codes.tolist() == [0, -1, 2]


def test_a_group_may_come_as_codes_with_levels():
    data = from_tensors(torch.zeros(3, 1), None, task=TASK, groups={"g": Coded(np.array([1, -1, 0]), ("a", "b"))})
    assert data.groups[:, 0].tolist() == [1, -1, 0]
    with pytest.raises(DataError, match="code 2 at row 0, but 2 levels"):
        from_tensors(torch.zeros(1, 1), None, task=TASK, groups={"g": Coded(np.array([2]), ("a", "b"))})


@pytest.mark.parametrize(
    "task, values, codes",
    [
        (TASK, torch.tensor([0.0, 1.0]), [0, 1]),
        (TASK, [[1], [0]], [1, 0]),
        (TASK, [1.0, float("nan"), -1], [1, -1, -1]),
        (Multiclass(("cat", "dog")), ["dog", "cat", None], [1, 0, -1]),
        (Regression(), [1.5, 2], [1.5, 2.0]),
    ],
)
def test_targets_of_tensors_are_codes_names_or_numbers(task, values, codes):
    n = len(values)
    assert from_tensors(torch.zeros(n, 1), values, task=task).targets.tolist() == codes


def test_text_of_a_value():
    assert [text(v) for v in (1, 1.0, np.float32(2), np.int8(3), True, np.bool_(False), " x ", 0.5)] == [
        *("1", "1", "2", "3", "True", "False", "x", "0.5")
    ]
    assert [text(v) for v in ("1.0", "-0.0", "01", "01.0", "1.10", "NA")] == ["1", "0", "01", "01.0", "1.10", "NA"]


# Frames


def test_an_encoding_names_features_and_tells_how_to_go_back(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job"], units={"age": "years"})
    (numbers, codes) = encode(encoding, frame).inputs
    age, job = encoding.spec.features
    assert (numbers.dtype, codes.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(numbers[:, age.columns[0]] * age.scale + age.centre, frame["age"], rtol=1e-6)
    assert (age.unit, age.input, job.input) == ("years", 0, 1)
    assert job.levels == ("clerk", "cook", "nurse", MISSING, OTHER)
    assert [job.levels[k] for k in codes[:, job.columns[0]]] == frame["job"].fillna(MISSING).tolist()
    assert abs(numbers.mean()) < 1e-6
    assert numbers.std() == pytest.approx(1)


def test_one_hot_columns_belong_to_their_feature(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job", "sex"], one_hot=True)
    (x,) = encode(encoding, frame).inputs
    for feature, name in zip(encoding.spec.features[1:], ["job", "sex"], strict=True):
        hot = x[:, list(feature.columns)]
        assert hot.sum(1).tolist() == [1] * N
        assert [feature.levels[k] for k in hot.argmax(1)] == frame[name].fillna(MISSING).tolist()
    assert x.shape[1] == encoding.spec.features[-1].columns[-1] + 1


def test_a_column_that_is_two_features_is_refused(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job", "age"])
    with pytest.raises(SubjectError, match="features need different names, but 'age' occur"):
        _ = encoding.spec


def test_only_one_sort_of_column_makes_one_input(frame):
    encoding = fit_encoding(frame, categorical=["job"])
    assert [x.dtype for x in encode(encoding, frame).inputs] == [np.int64]
    assert encoding.spec.features[0].input == 0


def test_values_never_seen_in_training_are_coded_as_other_and_counted(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job"])
    later = frame.assign(job=["pilot", *frame["job"][1:]])
    encoded = encode(encoding, later)
    assert encoded.inputs[1][0, 0] == encoding.spec.features[1].levels.index(OTHER)
    assert encoded.unseen == {"job": 1}
    assert "1 values of 'job' were never seen" in from_frame(later, encoding, target="hired", task=TASK).origin


def test_strict_encodings_refuse_what_they_have_not_seen(frame):
    encoding = fit_encoding(frame, categorical=["sex"], unknown="refuse")
    assert OTHER not in encoding.categories[0].levels
    with pytest.raises(DataError, match="'sex' has value 'X' at row 2"):
        encode(encoding, frame.assign(sex=["F", "M", "X", *frame["sex"][3:]]))


def test_missing_numbers_are_filled_only_if_asked(frame):
    holes = frame.assign(age=[None, *frame["age"][1:]])
    with pytest.raises(DataError, match="'age' has no number in 1 of 11 rows"):
        fit_encoding(holes, numeric=["age"])
    with pytest.raises(DataError, match="'age' has no number in 1 of 11 rows"):
        encode(fit_encoding(frame, numeric=["age"]), holes)
    encoding = fit_encoding(holes, numeric=["age"], fill="median")
    encoded = encode(encoding, holes)
    median = holes["age"].median()
    assert encoded.inputs[0][0, 0] == pytest.approx((median - encoding.numbers[0].centre) / encoding.numbers[0].scale)
    assert encoded.filled == {"age": 1}


def test_a_constant_column_stays_finite(frame):
    (numbers,) = encode(fit_encoding(frame.assign(age=40), numeric=["age"]), frame.assign(age=40)).inputs
    assert numbers.tolist() == [[0.0]] * N


def test_a_subject_of_a_frame_has_spec_people_and_training_rows(frame):
    encoding = fit_encoding(frame, numeric=["age"], categorical=["job"])
    subject = Subject.from_frame(
        "hiring",
        lambda numbers, codes: numbers,
        frame,
        target="hired",
        sensitive=["sex"],
        encoding=encoding,
        task=Binary(positive="hired", negative="not"),
        output="logit",
        split="test",
        train=frame.iloc[:4],
    )
    assert subject.inputs == (encoding.spec,)
    assert subject.data.targets.tolist() == frame["hired"].tolist()
    assert (len(subject.train), subject.train.split, subject.data.split) == (4, "train", "test")


# Loaders


def test_reading_leaves_the_global_generator_alone():
    data = from_loader(Pairs(), task=TASK)
    before = torch.get_rng_state()
    list(data.batches(4))
    assert torch.equal(before, torch.get_rng_state())


def test_a_loaders_collate_function_is_used():
    loader = DataLoader(
        Pairs(), collate_fn=lambda samples: {"x": torch.stack([x for x, _ in samples]) + 1, "y": [0] * len(samples)}
    )
    (batch,) = from_loader(loader, task=TASK).batches(N)
    assert batch.inputs[0][:, 0].tolist() == [row + 1 for row in range(N)]
    assert batch.targets.tolist() == [0] * N


def test_a_dict_without_inputs_key_goes_in_as_keywords():
    rows = [{"input_ids": torch.ones(3, dtype=torch.long), "mask": torch.ones(3), "labels": 1}] * N
    (batch,) = from_loader(rows, task=TASK).batches(N)
    assert set(batch.inputs) == {"input_ids", "mask"}
    assert batch.targets.tolist() == [1] * N


def test_inputs_beside_other_tensors_go_in_with_them():
    rows = [{"inputs": torch.ones(3), "mask": torch.ones(3), "label": 1, "groups": 0}] * N
    (batch,) = from_loader(rows, task=TASK, people=[Attribute("sex", ("F", "M"))]).batches(N)
    assert set(batch.inputs) == {"inputs", "mask"}
    (alone,) = from_loader([{"inputs": torch.ones(3), "label": 1}] * N, task=TASK).batches(N)
    assert isinstance(alone.inputs, tuple)


@pytest.mark.parametrize("key", ["inputs", "input_ids"])
def test_entries_that_no_tensor_holds_are_not_dropped_in_silence(key):
    rows = [{key: torch.ones(3), "label": 1, "name": "x", "city": "y"}] * N
    with pytest.raises(DataError, match="would be dropped: 'name', 'city'; leave them out"):
        list(from_loader(rows, task=TASK).batches(N))


class Every(SequentialSampler):
    """A kind of its own."""


PLACES = [7, 2, 9, 4]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("of", ["dataset", "subset"])
def test_a_subset_of_rows_keeps_the_numbers_and_the_groups_of_its_rows(size, of):
    sex = ["M" if row in (2, 4) else "F" for row in range(N)]
    loader = DataLoader(Pairs(), batch_size=2, sampler=SubsetRandomSampler(PLACES))
    groups = {"sex": sex if of == "dataset" else [sex[row] for row in sorted(PLACES)]}
    data = from_loader(loader, task=TASK, groups=groups)
    whole = joined(data, size)
    assert len(data) == 4
    assert whole["rows"].tolist() == [2, 4, 7, 9] == whole["inputs"][:, 0].tolist()
    assert whole["targets"].tolist() == [0, 0, 1, 1]
    assert whole["groups"][:, 0].tolist() == [1, 1, 0, 0]
    assert "Pairs" in data.origin


@pytest.mark.parametrize(
    "kw",
    [
        {"sampler": SequentialSampler(Pairs())},
        {"sampler": RandomSampler(Pairs())},
        {"batch_sampler": BatchSampler(RandomSampler(Pairs()), 4, drop_last=True)},
    ],
)
def test_a_sampler_of_all_rows_is_all_rows_in_the_datasets_order(kw):
    assert joined(from_loader(DataLoader(Pairs(), **kw), task=TASK), 4)["inputs"][:, 0].tolist() == list(range(N))


@pytest.mark.parametrize(
    "kw, message",
    [
        ({"sampler": WeightedRandomSampler([1.0] * N, N)}, "DataLoader's WeightedRandomSampler visits"),
        ({"sampler": RandomSampler(Pairs(), replacement=True)}, "DataLoader's RandomSampler visits"),
        ({"sampler": RandomSampler(Pairs(), num_samples=5)}, "RandomSampler visits 5 of 11 rows"),
        ({"sampler": SequentialSampler(range(5))}, "SequentialSampler visits 5 of 5 rows, but the dataset has 11"),
        ({"sampler": Every(Pairs())}, "DataLoader's Every visits"),
        ({"sampler": [3, 1]}, "DataLoader's list visits"),
        ({"batch_sampler": [[0, 1], [2]]}, "DataLoader's list visits"),
        ({"batch_sampler": BatchSampler([0, 1], 2, drop_last=False)}, "DataLoader's list visits"),
    ],
)
def test_a_sampler_that_does_not_say_which_rows_it_visits_is_refused_with_the_way_out(kw, message):
    with pytest.raises(DataError) as caught:
        from_loader(DataLoader(Pairs(), **kw), task=TASK)
    assert message in str(caught.value)
    assert "pass torch.utils.data.Subset(dataset, indices)" in str(caught.value)


@pytest.mark.parametrize(
    "indices, groups, message",
    [
        ([], None, "no indices"),
        ([1, 1], None, "visits row 1 twice"),
        ([0, 11], None, "index 11, outside 0 to 10"),
        ([-1, 0], None, "index -1, outside 0 to 10"),
        ([1, 2], {"sex": ["F"] * 5}, "5 values for 11 rows, of which the sampler visits 2; give one a row"),
    ],
)
def test_a_subset_that_is_no_subset_is_refused(indices, groups, message):
    loader = DataLoader(Pairs(), sampler=SubsetRandomSampler(indices))
    with pytest.raises(DataError) as caught:
        from_loader(loader, task=TASK, groups=groups)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "collate, message",
    [
        (lambda samples: default_collate(samples[:5]), "gave 5 rows for 7 samples; return one row a sample"),
        (lambda samples: default_collate([*samples, samples[0]]), "gave 8 rows for 7 samples"),
        (lambda samples: default_collate(samples[: 3 if len(samples) == 4 else 7]), "gave 3 rows for 4 samples"),
    ],
)
def test_a_collate_function_that_drops_or_adds_rows_is_refused(collate, message):
    data = from_loader(DataLoader(Pairs(), collate_fn=collate), task=TASK, groups={"sex": ["F"] * N})
    with pytest.raises(DataError) as caught:
        list(data.batches(7))
    assert message in str(caught.value)


def test_a_dataset_that_changes_its_length_is_refused():
    rows = [(torch.ones(1), 0)] * 8
    data = from_loader(rows, task=TASK)
    del rows[4:]
    with pytest.raises(DataError, match="gave 4 rows but had 8"):
        list(data.batches(4))


def test_groups_of_a_batch_are_as_many_as_its_rows():
    rows = [{"x": torch.ones(1), "y": 1}] * 4
    data = from_loader(
        rows,
        task=TASK,
        people=[Attribute("sex", ("F", "M"))],
        parts=lambda b: (b["x"], b["y"], {"sex": torch.tensor([1])}),
    )
    with pytest.raises(DataError, match="'sex' has 1 values in a batch of 4 rows"):
        list(data.batches(4))


def test_parts_say_where_inputs_targets_and_groups_are():
    people = [Attribute("sex", ("F", "M"))]
    rows = [(torch.zeros(2), torch.ones(1), 1, "M"), (torch.zeros(2), torch.ones(1), 0, "F")]
    data = from_loader(rows, task=TASK, people=people, parts=lambda b: ((b[0], b[1]), b[2], {"sex": b[3]}))
    (batch,) = data.batches(2)
    assert [part.shape[1] for part in batch.inputs] == [2, 1]
    assert batch.groups[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("groups", [torch.tensor([[0], [-1]]), torch.tensor([0, -1]), ["F", None], {"sex": ["F", ""]}])
def test_batches_may_carry_groups_as_codes_or_labels(groups):
    data = from_loader(
        TensorDataset(torch.zeros(2, 1)),
        task=TASK,
        people=[Attribute("sex", ("F", "M"))],
        parts=lambda b: (b[0], None, groups),
    )
    (batch,) = data.batches(2)
    assert batch.groups.tolist() == [[0], [-1]]


def test_iterable_rows_are_known_by_the_number_they_carry():
    order = [3, 1, 10, 0, 2, 4, 9, 8, 7, 6, 5]
    sex = ["F", "M", *["F"] * 8, "M"]
    data = from_loader(Stream(order), task=TASK, row="row", groups={"sex": sex})
    whole = joined(data, 4)
    assert whole["rows"].tolist() == order
    assert whole["inputs"][:, 0].tolist() == order
    assert whole["groups"][:, 0].tolist() == [int(sex[row] == "M") for row in order]


def test_workers_that_share_the_rows_give_each_once():
    loader = DataLoader(Stream([*range(N)]), num_workers=2)
    assert sorted(joined(from_loader(loader, task=TASK, row="row"), 3)["rows"]) == list(range(N))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: from_loader(Stream([0]), task=TASK), "iterable data has no row numbers"),
        (lambda: list(from_loader(Stream([0, 0]), task=TASK, row="row").batches(1)), "row 0 came twice"),
        (lambda: list(from_loader(Stream([0, 1]), task=TASK, row="row").batches(1)), "gave 2 of 11 rows"),
        (lambda: list(from_loader(Stream([99]), task=TASK, row="row").batches(1)), "row number 99 is outside 0 to 10"),
        (lambda: list(from_loader(Stream([0]), task=TASK, row="id").batches(1)), "no row numbers at 'id'"),
        (lambda: from_loader(DataLoader(Pairs(), batch_size=None), task=TASK), "batch_size=None"),
        (lambda: from_loader([], task=TASK), "has no rows"),
        (lambda: from_loader(object(), task=TASK), "does not tell how many rows"),
        (lambda: list(from_loader(TensorDataset(torch.zeros(2, 1)), task=TASK).batches(1)), "a list of 1, not"),
        (lambda: list(from_loader([("a", 1)], task=TASK).batches(1)), "give a tensor"),
        (
            lambda: list(from_loader([(torch.zeros(1), 7)], task=TASK).batches(1)),
            "target 7 at row 0 is not a class code",
        ),
        (lambda: list(from_loader([(torch.zeros(1), 1, 0)], task=TASK).batches(1)), "no attribute is declared"),
        (lambda: from_loader(Pairs(), task=TASK, groups={"sex": ["F"]}), "has 1 values for 11 rows"),
    ],
)
def test_data_without_identity_or_form_is_refused_with_the_reason(make, message):
    with pytest.raises(DataError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: from_tensors(torch.zeros(0, 2), None, task=TASK), "at least 1 row"),
        (lambda: from_tensors((torch.zeros(2, 2), torch.zeros(3, 1)), None, task=TASK), "lengths [2, 3]"),
        (lambda: from_tensors(torch.zeros(2, 2), [0, 1, 1], task=TASK), "2 rows of inputs but 3 targets"),
        (lambda: from_tensors(torch.zeros(2, 2), [0, 0.5], task=TASK), "target 0.5 at row 1"),
        (lambda: from_tensors(torch.zeros(2, 2), ["0", "maybe"], task=TASK), "'maybe' at row 1"),
        (lambda: from_tensors(torch.zeros(2, 2), torch.zeros(2, 3), task=TASK), "shape [2, 3]"),
        (lambda: from_tensors(torch.zeros(1, 2), None, task=TASK, groups={"sex": [None]}), "no value in any row"),
        (
            lambda: code("age", range(1001)),
            "1,001 different values, and groups may have 1,000; group the values into bands in the table first",
        ),
        (lambda: code("g", ["a", 1]), "mixes types: 'a' is text, 1 is number"),
        (lambda: code("g", ["a"], ["a", " a"]), "two of them alike"),
        (lambda: code("g", ["a"], ["b"]), "value 'a' at row 0, but the levels are 'b'"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_with_the_reason(make, message):
    with pytest.raises(DataError) as caught:
        make()
    assert message in str(caught.value)


# Predictions alone


def subject_of(data, **kw):
    return Subject.from_predictions(data, **{"target": "hired", "prediction": "said", "sensitive": ["sex"]} | kw)


def same(a, b):
    assert a.task == b.task
    assert a.people == b.people
    for name in ("targets", "groups", "decisions", "scores"):
        np.testing.assert_array_equal(getattr(a.data, name), getattr(b.data, name))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet", "t.CSV"])
def test_a_file_says_the_same_as_its_frame(name, frame, tmp_path):
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",", compression="infer")
    same(subject_of(path), subject_of(frame))
    assert subject_of(str(path)).name == "t"
    assert name in subject_of(path).data.origin


WORDED = {
    "NA words": ["NA", "None", "nan", "null", "x"],
    "codes": ["01", "1", "02", "2", "10"],
    "blanks": [" x", "x", "x ", "y", None],
    "integers": [1, 2, 10, 2, 1],
    "floats": [1.0, 2.0, 2.5, float("nan"), 1.0],
    "written floats": ["1.0", "2.0", "2.50", "", "1.0"],
    "booleans": [True, False, True, True, False],
    "truths": ["TRUE", "FALSE", "true", "TRUE", "FALSE"],
    "one word": ["NA"] * 5,
}


@pytest.mark.parametrize("case", WORDED)
@pytest.mark.parametrize("decided", [{"prediction": "said"}, {"score": "score"}])
def test_a_table_says_the_same_as_csv_and_as_parquet(case, decided, tmp_path):
    table = pandas.DataFrame({"g": WORDED[case], "hired": [0, 1, 0, 1, 1], "said": [1, 1, 0, 0, 1]})
    table["score"] = np.array([0.1 + 0.2, 1 / 3, 1e-17, 1.0, 0.0])
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    read = [
        Subject.from_predictions(tmp_path / name, target="hired", sensitive=["g"], **decided)
        for name in ("t.csv", "t.parquet")
    ]
    same(*read)
    levels = read[0].people[0].levels
    named = [(*levels, None)[k] for k in read[0].data.groups[:, 0]]
    assert named == [None if value in ("", None) or value != value else text(value) for value in WORDED[case]]


def test_labels_of_a_csv_may_be_any_words_for_true_and_false(tmp_path):
    for words in (("FALSE", "TRUE"), ("false", "true"), ("False", "True"), ("0.0", "1.0"), ("00", "01")):
        path = tmp_path / "t.csv"
        path.write_text("y,p\n" + "".join(f"{words[y]},{p}\n" for y, p in ((0, 1), (1, 1), (1, 0))))
        data = Subject.from_predictions(path, target="y", prediction="p").data
        assert (data.targets.tolist(), data.decisions.tolist()) == ([0, 1, 1], [1, 1, 0])


@pytest.mark.parametrize("value", ["high", "0,5", "NA", "nan"])
def test_a_score_of_a_csv_that_is_no_number_is_refused_in_one_line(value, tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text(f"y\ts\n0\t0.5\n1\t{value}\n")
    with pytest.raises(DataError) as caught:
        Subject.from_predictions(path, target="y", score="s")
    assert f"column 's' holds '{value}' (row 1), which is no number" in str(caught.value)
    path.write_text("y\ts\n0\t0.5\n1\t\n")
    with pytest.raises(DataError, match="no value in 1 of 2 rows"):
        Subject.from_predictions(path, target="y", score="s")


@pytest.mark.parametrize(
    "values, kw",
    [
        ([0, 1], {}),
        ([0.0, 1.0], {}),
        ([False, True], {}),
        (["0", "1"], {}),
        ([0, 1], {"positive": "1"}),
        ([0.0, 1.0], {"positive": "1"}),
        ([0.0, 1.0], {"positive": "1.0"}),
        ([False, True], {"positive": "True"}),
        ([False, True], {"positive": "1"}),
        (["no", "yes"], {"positive": "yes"}),
        ([-1, 1], {"positive": 1}),
        ([5, 7], {"positive": 7}),
    ],
)
def test_labels_of_any_kind_are_read(values, kw, frame):
    worded = frame.assign(hired=[values[k] for k in frame["hired"]], said=[values[k] for k in frame["said"]])
    subject = subject_of(worded, **kw)
    assert subject.data.targets.tolist() == frame["hired"].tolist()
    assert subject.data.decisions.tolist() == frame["said"].tolist()
    assert subject.task.classes == (text(values[0]), text(values[1]))


def test_the_other_label_may_be_the_positive_one(frame):
    subject = subject_of(frame, positive="0")
    assert subject.data.targets.tolist() == (1 - frame["hired"]).tolist()
    assert subject.task.classes == ("1", "0")


def test_booleans_and_numbers_may_meet(frame):
    same(subject_of(frame.assign(said=frame["said"] == 1)), subject_of(frame))


def test_of_many_labels_one_is_positive_and_the_rest_is_not(frame):
    many = frame.assign(hired=["a", "b", "c", *["a"] * 8], said=["b", "b", "c", *["d"] * 8])
    subject = subject_of(many, positive="b")
    assert subject.data.targets.tolist() == [0, 1, *[0] * 9]
    assert subject.data.decisions.tolist() == [1, 1, *[0] * 9]
    assert subject.task.negative == "not b"


def test_blank_labels_and_groups_are_unknown(frame):
    subject = subject_of(frame.assign(hired=[None, *frame["hired"][1:]]))
    assert subject.data.targets[0] == -1
    assert subject.data.groups[3, 0] == -1


def test_scores_decide_at_the_threshold(frame):
    subject = subject_of(frame, prediction=None, score="score", threshold=0.7)
    assert subject.task.threshold == 0.7
    assert subject.data.scores.tolist() == frame["score"].tolist()
    assert subject.data.decisions is None
    agreeing = frame.assign(said=(frame["score"] >= 0.7).astype(int))
    same(subject_of(agreeing, score="score", threshold=0.7), subject)


def test_a_column_that_occurs_twice_is_named_as_pandas_does(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("y,p,p\n1,0,1\n0,0,0\n")
    assert Subject.from_predictions(path, target="y", prediction="p.1").data.decisions.tolist() == [1, 0]
    assert Subject.from_predictions(path, target="y", prediction="p").data.decisions.tolist() == [0, 0]


BAD = {
    "missing column": (lambda f: f, {"prediction": "Siad"}, "no column 'Siad'; did you mean 'said'?"),
    "nothing named": (lambda f: f, {"prediction": None}, "pass --prediction COLUMN or --score COLUMN"),
    "empty": (lambda f: f[:0], {}, "no rows"),
    "not binary": (lambda f: f.assign(hired=f["job"]), {}, "its 3 labels are 'clerk', 'cook', 'nurse'"),
    "words": (lambda f: f.assign(hired=f["sex"]), {}, "labels 'F', 'M'; say which one is positive with --positive"),
    "no such positive": (lambda f: f, {"positive": "2"}, "'2' is no label of column 'hired'"),
    "other words": (lambda f: f.assign(said=f["sex"].fillna("F")), {}, "'F', 'M' that never occur in 'hired'"),
    "no labels": (lambda f: f.assign(hired=None), {}, "no label in any row"),
    "blank prediction": (
        lambda f: f.assign(said=[None, *f["said"][1:]]),
        {},
        "no value in 1 of 11 rows (first: row 0)",
    ),
    "NaN score": (lambda f: f.assign(s=[float("nan")] * N), {"prediction": None, "score": "s"}, "no value in 11 of 11"),
    "no probability": (lambda f: f, {"prediction": None, "score": "age"}, "so it holds no probabilities"),
    "infinite": (lambda f: f.assign(s=np.inf), {"prediction": None, "score": "s"}, "infinite at row 0"),
    "text score": (lambda f: f, {"prediction": None, "score": "job"}, "column 'job' holds 'clerk'"),
    "mixed score": (
        lambda f: f.assign(s=[0.5, "a", *[0.1] * 9]),
        {"prediction": None, "score": "s"},
        "mixes types: 'a'",
    ),
    "mixed groups": (lambda f: f.assign(sex=["F", 1, *["M"] * 9]), {}, "column 'sex' mixes types"),
    "disagree": (
        lambda f: f,
        {"score": "score", "threshold": 0.75},
        "at threshold 0.75 in 3 rows (first: row 5)",
    ),
    "threshold": (lambda f: f, {"threshold": 5}, "threshold 5 is not a probability"),
    "scores as decisions": (
        lambda f: f,
        {"prediction": "score"},
        "'0.1', '0.2', '0.3' and 6 more, which are scores and no decisions; pass it as --score score",
    ),
    "two columns": (lambda f: pandas.concat([f, f[["said"]]], axis=1), {}, "column 'said' occurs 2 times"),
    "never known": (lambda f: f.assign(sex=None), {}, "column 'sex' has no value in any row"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_cannot_be_read_is_refused_in_one_line(case, frame):
    spoil, kw, message = BAD[case]
    with pytest.raises(GnomonError) as caught:
        subject_of(spoil(frame), **kw)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_values_are_answered_with_what_the_command_line_offers():
    n = 1200
    table = pandas.DataFrame({"y": np.arange(n) % 2, "s": np.arange(n) / n, "t": np.arange(n) / 10})
    for kw, message in (
        ({"target": "y", "prediction": "s"}, "pass it as --score s"),
        ({"target": "t", "prediction": "y"}, "'t' is not binary: its 1,200 labels are '0', '0.1'"),
        ({"target": "t", "score": "s"}, "say which one is positive with --positive"),
        ({"target": "y", "score": "s", "sensitive": ["t"]}, "group the values into bands in the table first"),
    ):
        with pytest.raises(DataError) as caught:
            Subject.from_predictions(table, **kw)
        assert message in str(caught.value)
    chosen = Subject.from_predictions(table, target="t", score="s", positive="99.9")
    assert chosen.data.targets.sum() == 1


def test_a_parquet_file_cut_short_is_refused_with_the_cure(frame, tmp_path):
    frame.to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for length in (len(whole) // 2, len(whole) - 3):
        (tmp_path / "t.parquet").write_bytes(whole[:length])
        with pytest.raises(DataError, match="cut short or damaged; write the Parquet file again"):
            subject_of(tmp_path / "t.parquet")


def test_a_damaged_gzip_is_refused_with_the_cure(tmp_path):
    whole = gzip.compress(b"hired,said,sex\n" + b"1,1,F\n0,0,M\n" * 50)
    (tmp_path / "t.csv.gz").write_bytes(whole[:10] + b"\xff" * 20 + whole[30:])
    with pytest.raises(DataError, match="cut short or damaged"):
        subject_of(tmp_path / "t.csv.gz")


FILES = {
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(50), "the name says CSV, but this is a PNG picture"),
    "table.parquet": (b"a,b\n1,2\n", "the name says Parquet, but this is text"),
    "table.csv": (b"PAR1" + bytes(20), "but this is a Parquet file; rename it to .parquet"),
    "broken.parquet": (b"PAR1" + bytes(20), "cannot be read as Parquet"),
    "zip.csv.gz": (b"a,b\n", "the name says CSV in gzip, but this is text"),
    "cut.csv.gz": (b"\x1f\x8b\x08\x00\x00", "cannot be read as CSV"),
    "zeros.csv": (b"a,b\n\x00\x00", "but this is a binary file"),
    "model.pkl": (pickle.dumps({"a": 1}), "pickles are refused"),
    "hidden.csv": (pickle.dumps({"a": 1}), "but this is a pickle"),
    "table.xlsx": (b"PK\x03\x04", "not a kind of table that is known"),
    "empty.csv": (b"", "the file is empty"),
    "header.csv": (b"hired,said,sex\n", "the table has no rows"),
    "ragged.csv": (b'hired,said,sex\n1,"2\n', "cannot be read as CSV"),
    "wide.csv": (b"hired,said,sex\n1,1,F,x\n0,0,M,x\n", "rows have more values than the header has names"),
    "shifted.csv": (
        b"hired,said,sex\n1,1,F\n0,0,M,x\n",
        "saw 4); give every row as many values as the header has names",
    ),
    "latin.csv": ("hired,said,sex\n1,1,\xe9\n".encode("latin-1"), "save it as UTF-8"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_what_its_name_says_is_refused_in_one_line(name, tmp_path):
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        subject_of(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError):
            subject_of(path)


def test_reading_predictions_loads_no_torch(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    script = (
        "import sys; from gnomon.models import Subject; "
        f"s = Subject.from_predictions({str(tmp_path / 't.csv')!r}, target='hired', prediction='said'); "
        "list(s.data.batches(4)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

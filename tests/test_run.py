"""The one loop: what it hands on, what it survives, and that it leaves the user's things as they were."""

import socket
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from gnomon import audit
from gnomon.audit.analysis import Section
from gnomon.audit.energy import Meter
from gnomon.audit.engine import standard
from gnomon.audit.errors import CriteriaError, RecordError
from gnomon.audit.measure import Measure
from gnomon.audit.state import Columns
from gnomon.models import Binary, Card, Feature, Multiclass, Regression, Subject, Tabular
from gnomon.models.data import from_tensors
from gnomon.models.errors import DataError, SubjectError
from torch import nn

N = 200
X = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
GROUPS = {"sex": ["f", "m"] * (N // 2), "race": ["a", "b", None, "c"] * (N // 4)}
SPEC = Tabular((Feature("height", 0, (0,)), Feature("weight", 0, (1,))))


def subject(**changes):
    torch.manual_seed(0)
    arguments = {"groups": GROUPS, "task": Binary(), "output": "logit", "spec": (SPEC,), **changes}
    model = arguments.pop("model", None) or nn.Linear(2, 1)
    return Subject.from_tensors("s", model, X, arguments.pop("y", Y), **arguments)


def quick():
    return [a for a in standard() if a.name in ("data", "performance", "fairness")]


def test_a_whole_audit_holds_every_analysis_and_its_own_bill():
    record = audit.run(subject(), level=0.9, seed=7)
    assert {m.analysis for m in record.measures} == {"data", "performance", "fairness", "explanations", "energy"}
    assert {c.phase for c in record.costs} >= {"audit", "audit/load", "audit/score", "audit/fairness", "audit/(rest)"}
    whole = record.costs[0]
    inner = [c for c in record.costs if c.phase.count("/") == 1]
    assert sum(c.seconds for c in inner) == pytest.approx(whole.seconds, rel=1e-9)
    assert sum(c.joules for c in inner) == pytest.approx(whole.joules, rel=1e-9)
    assert {m.level for m in record.measures if m.analysis == "fairness"} == {0.9}
    assert record.settings["seed"] == 7
    assert record.verdict == "NOT_JUDGED"


def test_every_estimate_has_an_interval_or_a_reason_and_a_method():
    for m in audit.run(subject()).measures:
        if m.value is None:
            assert m.reason
        else:
            assert m.method, m.key
            # an end alone is missing where odds have no upper bound
            assert m.low is not None or m.high is not None or m.details.get("exact"), m.key


def test_the_same_audit_twice_says_the_same_but_for_energy_and_time():
    one, other = audit.run(subject()), audit.run(subject())
    keep = [m for m in one.measures if m.analysis != "energy"]
    assert keep == [m for m in other.measures if m.analysis != "energy"]
    assert one.subject == other.subject
    assert one.exhibits == other.exhibits


def test_the_batch_size_changes_nothing_but_the_last_bits():
    one, other = audit.run(subject(), quick()), audit.run(subject(), quick(), batch_size=17)
    for a, b in zip(one.measures, other.measures, strict=True):
        assert a.key == b.key
        assert a.value == b.value if a.value is None else a.value == pytest.approx(b.value, rel=1e-5)


def test_the_users_model_seeds_and_grad_mode_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 1))
    model.train()
    model[2].eval()
    model[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    about = subject(model=model)
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    audit.run(about)
    assert [m.training for m in model.modules()] == modes
    assert not model[0].weight.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.is_grad_enabled()


def test_nothing_reaches_the_network_and_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def refuse(*_, **__):
        raise AssertionError("the network was tried")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    audit.run(subject())
    assert list(tmp_path.rglob("*")) == []


@dataclass(frozen=True, slots=True)
class Stumbles:
    """An analysis that stops at one of its steps."""

    at: str
    name: str = "stumbles"

    def zero(self, subject):
        return Columns()

    def observe(self, subject, batch, scores):
        if self.at == "observe":
            raise RuntimeError("could not\nlook")
        return Columns()

    def conclude(self, subject, state, levels, runtime):
        raise RuntimeError("could not conclude")


@pytest.mark.parametrize("at", ["observe", "conclude"])
def test_an_analysis_that_stops_is_an_error_and_the_rest_goes_on(at):
    record = audit.run(subject(), [Stumbles(at), *quick()])
    assert record.verdict == "ERROR"
    assert record.findings[0].message == "analysis_crashed"
    assert record.find("selection_rate").value is not None
    assert any("could not" in str(m) for m in record.limitations)


@dataclass(frozen=True, slots=True)
class Twice:
    """An analysis that says one thing twice."""

    name: str = "twice"

    def zero(self, subject):
        return Columns()

    def observe(self, subject, batch, scores):
        return Columns()

    def conclude(self, subject, state, levels, runtime):
        measure = Measure(analysis="twice", metric="m", value=1, n=1)
        return Section((measure, measure))


def test_a_record_that_says_one_thing_twice_is_refused():
    with pytest.raises(RecordError, match="holds each once"):
        audit.run(subject(), [Twice()])


def test_findings_come_gravest_first_and_point_at_their_evidence():
    rules = [
        {"id": "lax", "metric": "selection_rate", "at_least": 0.0},
        {"id": "strict", "metric": "selection_rate", "at_most": 0.01},
        {"id": "none", "metric": "no_such_metric", "at_most": 0.01},
    ]
    record = audit.run(subject(), quick(), criteria=rules)
    judged = [f for f in record.findings if f.verdict != "NOT_JUDGED"]
    assert [f.verdict for f in judged] == ["ERROR", "FAIL", "PASS"]
    for finding in judged[1:]:
        (place,) = finding.evidence
        assert record.measures[place].metric == "selection_rate"
    gap = next(f for f in record.findings if f.message == "largest_gap")
    assert record.measures[gap.evidence[0]].statistic == "difference"


def test_criteria_are_read_before_anything_runs():
    def explode(model, inputs):
        raise AssertionError("the model was asked")

    unasked = replace(subject(), forward=explode)
    with pytest.raises(CriteriaError):
        audit.run(unasked, criteria=[{"id": "x"}])


def test_unknown_groups_and_labels_are_counted_and_said():
    y = Y.clone()
    y[:20] = -1
    record = audit.run(subject(y=y), quick())
    said = " ".join(map(str, record.limitations))
    assert "50 of 200 rows have no known value of 'race'" in said
    assert "20 of 200 rows have no label" in said
    assert record.find("selection_rate").n == 200
    assert record.find("true_positive_rate").denominator == int((y == 1).sum())
    levels = [record.find("selection_rate", where={"race": level}).n for level in "abc"]
    assert sum(levels) == 150
    assert record.find("selection_rate", where={"race": "(unknown)"}).n == 50
    assert record.find("selection_rate", statistic="difference", where={"attribute": "race"}).details["levels"] == 3
    assert not [m for m in record.measures if m.where == {"sex": "(unknown)"}]


def test_auditing_on_training_rows_is_a_grave_finding():
    record = audit.run(subject(split="train"), quick())
    (finding,) = [f for f in record.findings if f.message == "audited_on_training_rows"]
    assert finding.severity == "high"
    assert not [m for m in audit.run(subject(split="test"), quick()).findings if m.message == finding.message]


def test_rows_that_stand_in_training_too_are_counted_exactly():
    train = from_tensors(X[:30], Y[:30], task=Binary(), split="train")
    record = audit.run(replace(subject(split="test"), train=train), quick())
    overlap = record.find("train_test_overlap")
    assert (overlap.numerator, overlap.denominator) == (30, 200)
    assert any(f.message == "train_test_overlap" for f in record.findings)


def test_a_reference_population_is_compared_with():
    record = audit.run(replace(subject(), reference={"sex": {"f": 0.5, "m": 0.5}}), quick())
    assert record.find("total_variation", where={"attribute": "sex"}).value == 0
    assert record.find("group_share", statistic="difference", where={"sex": "f"}).value == 0


@pytest.mark.parametrize(
    "task, model, output",
    [
        (Multiclass(("lo", "mid", "hi")), nn.Linear(2, 3), "logits"),
        (Regression("kg"), nn.Linear(2, 1), "value"),
    ],
)
def test_other_tasks_run_through_the_same_loop(task, model, output):
    y = X[:, 0] * 2 if isinstance(task, Regression) else torch.arange(N) % 3
    record = audit.run(subject(task=task, model=model, output=output, y=y))
    assert not [f for f in record.findings if f.message == "analysis_crashed"]
    if isinstance(task, Multiclass):
        where = {"sex": "f", "class": "mid"}
        assert record.find("true_positive_rate", where=where).denominator > 0
        assert record.find("accuracy", analysis="fairness", where={"sex": "f"}).n == 100
    else:
        assert record.find("mean_absolute_error").unit == "kg"
        assert record.find("mean_error", statistic="difference", where={"attribute": "sex"}).unit == "kg"


def test_a_plain_callable_is_audited_as_far_as_it_goes():
    record = audit.run(subject(model=lambda x: x[:, 0] - x[:, 1], output="logit"))
    assert record.find("accuracy", analysis="performance").value is not None
    by_method = {m.where["method"]: m for m in record.measures if m.metric == "mean_absolute_attribution"}
    assert by_method["integrated_gradients"].value > 0  # what torch can differentiate needs not be a module
    assert by_method["feature_ablation"].value > 0


def test_a_callable_without_gradients_is_explained_by_trying_features_out():
    record = audit.run(subject(model=lambda x: (x[:, 0] - x[:, 1]).detach().numpy(), output="logit"))
    by_method = {m.where["method"]: m for m in record.measures if m.metric == "mean_absolute_attribution"}
    assert set(by_method) == {"shapley_values", "feature_ablation"}
    assert by_method["shapley_values"].value == pytest.approx(by_method["feature_ablation"].value)


def test_scores_that_are_not_finite_stop_the_audit_and_name_the_row():
    class Late(nn.Module):
        def forward(self, x):
            return torch.where(x[:, :1] == X[150, 0], torch.nan, x[:, :1])

    with pytest.raises(SubjectError, match=r"1 of 150 rows, first row 150|first row 150"):
        audit.run(subject(model=Late()), quick(), probe=False, batch_size=150)


@dataclass(frozen=True)
class Wrong:
    """Data whose groups are no codes of the declared levels."""

    inner: object
    people: tuple
    split: str = "test"
    origin: str = ""

    def __len__(self):
        return len(self.inner)

    def batches(self, size):
        for batch in self.inner.batches(size):
            yield replace(batch, groups=batch.groups + 5)


def test_codes_that_no_level_was_declared_for_are_named():
    found = subject()
    with pytest.raises(DataError, match=r"attribute 'sex' has code \d at row 0, but 2 levels are declared \(f, m\)"):
        audit.run(replace(found, data=Wrong(found.data, found.people)), quick())


def test_without_a_sensor_energy_is_not_measured_rather_than_nothing():
    record = audit.run(subject(), meter=Meter([]))
    assert record.costs[0].joules is None
    whole = record.find("energy")
    assert whole.value is None
    assert whole.reason


def test_a_declared_card_is_kept_and_blanks_stay_blank():
    record = audit.run(subject(card=Card(purpose="to test")), quick())
    assert record.subject["card"]["purpose"] == "to test"
    assert record.subject["card"]["owner"] == ""


def test_values_of_rows_stay_out_unless_asked_for():
    def values(record):
        (exhibit,) = [e for e in record.exhibits if e.kind == "attribution_rows"]
        return [row["values"] for row in exhibit.data["rows"]]

    assert set(values(audit.run(subject()))) == {None}
    assert all(values(audit.run(subject(), standard(show_rows=True))))
    names = [
        row["row"] for e in audit.run(subject()).exhibits if e.kind == "attribution_rows" for row in e.data["rows"]
    ]
    assert all(len(name) == 12 for name in names)


def test_training_rows_of_another_form_are_not_called_absent():
    """Equal rows as other bytes: an exact 0 % would be a lie."""
    wide = from_tensors(X.double(), Y, task=Binary(), split="train")
    bare = from_tensors(X, None, task=Binary(), split="train")
    for train in (wide, bare):
        overlap = audit.run(replace(subject(), train=train), quick()).find("train_test_overlap")
        assert overlap.value is None
        assert "not of the same form" in overlap.reason


def test_a_class_without_rows_keeps_a_mean_over_classes_from_passing():
    task, y = Multiclass(("lo", "mid", "hi")), torch.arange(N) % 2
    about = subject(task=task, model=nn.Linear(2, 3), output="logits", y=y)
    rules = [{"id": "b", "analysis": "performance", "metric": "balanced_accuracy", "at_least": 0.0}]
    record = audit.run(about, quick(), criteria=rules)
    assert record.find("balanced_accuracy", analysis="performance").details["undefined"] == ["hi"]
    assert record.verdict == "NOT_MEASURED"


def test_certain_scores_that_are_wrong_make_the_loss_infinite_and_so_undefined():
    about = subject(model=lambda x: (x[:, 0] < 0).float(), output="probability")
    loss = audit.run(about, quick()).find("log_loss")
    assert loss.value is None
    assert "200 of 200 rows" in loss.reason


def test_bfloat16_inputs_and_models_are_audited():
    model = nn.Linear(2, 1).bfloat16()
    about = Subject.from_tensors("b", model, X.bfloat16(), Y, task=Binary(), output="logit")
    record = audit.run(about, quick())
    assert record.find("accuracy", analysis="performance").value is not None
    assert record.find("duplicate_rows").value == 0


def test_energy_is_measured_as_the_audit_was_asked_to_run(monkeypatch):
    from gnomon.audit.energy import CounterSensor
    from gnomon.models import inference

    asked, session = [], inference.session

    def watch(about, **how):
        asked.append(how)
        return session(about, **how)

    monkeypatch.setattr(inference, "session", watch)
    ticks = iter(range(10**9))
    meter = Meter([CounterSensor("meter", "host", lambda: float(next(ticks)))])
    energy = [a for a in standard() if a.name == "energy"]
    record = audit.run(subject(), energy, device="cpu", precision="bfloat16", meter=meter)
    assert {(how["device"], how["precision"]) for how in asked} == {("cpu", "bfloat16")}
    assert record.find("energy_per_1000_predictions").kind == "measured"


def test_data_that_is_not_the_same_twice_is_refused():
    found = subject()

    @dataclass(frozen=True)
    class Augmented:
        people = found.people
        split = "test"
        origin = ""

        def __len__(self):
            return N

        def batches(self, size):
            for batch in found.data.batches(size):
                yield replace(batch, inputs=(batch.inputs[0] + torch.rand(1),))

    with pytest.raises(DataError, match="read again"):
        audit.run(replace(found, data=Augmented()), quick())


def test_specs_must_come_as_a_tuple():
    with pytest.raises(SubjectError, match=r"write \(spec,\)"):
        replace(subject(), inputs=SPEC)


def test_a_models_mapping_with_logits_is_read():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 1)

        def forward(self, x):
            return {"loss": x.sum(), "logits": self.inner(x)}

    assert audit.run(subject(model=Wrapped()), quick()).find("auc").value is not None


def test_pictures_carry_intervals_at_the_level_asked_for():
    def widths(level):
        exhibits = {e.kind: e.data for e in audit.run(subject(), quick(), level=level).exhibits}
        shares, curve = exhibits["group_shares"], exhibits["calibration_curve"]
        assert shares["confidence"] == curve["confidence"] == level
        assert shares["level"] == ["a", "b", "c"]
        return [np.subtract(data["high"], data["low"]).sum() for data in (shares, curve)]

    assert all(narrow < wide for narrow, wide in zip(widths(0.8), widths(0.95), strict=True))

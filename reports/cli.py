"""The command `gnomon`: it alone wires models, audit and reports together. Heavy imports wait until they are needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="gnomon",
    help="Audit a trained PyTorch model: what it decides on, for whom it works worse, what it costs, "
    "and whether that is good enough.",
    epilog="Every command also takes --debug: show the traceback of an error.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)

# the base of typer's own errors, in whichever package this version of typer keeps it
USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
UNFORESEEN = 3  # a check errored: never 1, which says that a criterion fails
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder to write. [default: audits/<time>-<name>]", show_default=False)
]
CriteriaFile = Annotated[
    Path | None, typer.Option("--criteria", help="YAML file of criteria to judge by.", show_default=False)
]
Json = Annotated[
    bool, typer.Option("--json", help="Print record.json and nothing else; without --out write no folder.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of samples, simulations and training.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
FailOn = Annotated[str, typer.Option("--fail-on", help="inconclusive: exit 4 when undecided; fail: then exit 0.")]
Level = Annotated[float, typer.Option("--level", help="Confidence level of intervals, between 0 and 1.")]
Country = Annotated[
    str | None,
    typer.Option(
        "--country", help="Where the power comes from, as ISO code: FRA. [default: world]", show_default=False
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, … [default: a GPU if any]", show_default=False)
]
ShowRows = Annotated[
    bool, typer.Option("--show-rows", help="Let the values of single rows appear in record and report.")
]

ExplainBudget = Annotated[
    str | None,
    typer.Option(
        "--explain-budget",
        help="What explanations may cost: 120s, 50J, or 500 (evaluations of the model a row). [default: no limit]",
        show_default=False,
    ),
]
FlipsAsked = Annotated[
    bool,
    typer.Option("--flips", help="Swap each sensitive attribute that is an input, and say which decisions change."),
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"gnomon {installed('gnomon')}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="Which reference subject; --list shows them.")] = "credit",
    listed: Annotated[bool, typer.Option("--list", help="List the reference subjects.")] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder that holds the data set. [default: $GNOMON_DATA]", show_default=False),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch missing data from its publisher.")] = False,
    out: Out = None,
    criteria: CriteriaFile = None,
    json: Json = False,
    country: Country = None,
    device: Device = None,
    flips: FlipsAsked = False,
    explain_budget: ExplainBudget = None,
    level: Level = 0.95,
    show_rows: ShowRows = False,
    fail_on: FailOn = "inconclusive",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Train a reference subject, audit it, and write the report."""
    from ..models.reference import catalogue

    if listed:
        for key, (_, line) in catalogue.DEMOS.items():
            print(f"{key:12} {line}")
        return
    from . import commands

    run_as, asked = (device, show_rows), {"flips": flips, "explain_budget": explain_budget}
    wishes = commands.Wishes(criteria, out, json, quiet, fail_on, level, seed, country, *run_as, **asked)
    with commands.telling(quiet or json) as tell:
        tell(f"training the reference subject '{name}'")
        subject = catalogue.subject(name, folder=data, seed=seed, download=download)
        record = commands.audit(subject, wishes, tell)
    raise typer.Exit(commands.deliver(record, wishes))


@app.command()
def run(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT.py[:NAME]",
            help="Python file whose subject() (or NAME()) returns the subject. It is run as code.",
        ),
    ],
    out: Out = None,
    criteria: CriteriaFile = None,
    json: Json = False,
    country: Country = None,
    device: Device = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Rows scored at once.")] = 4096,
    precision: Annotated[str, typer.Option("--precision", help="float32, bfloat16 or float16.")] = "float32",
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Try what the model returns before believing it.")
    ] = True,
    flips: FlipsAsked = False,
    explain_budget: ExplainBudget = None,
    level: Level = 0.95,
    show_rows: ShowRows = False,
    fail_on: FailOn = "inconclusive",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Audit a subject of yours."""
    from ..models.loading import from_file
    from . import commands

    run_as = (device, show_rows, batch_size, precision, probe)
    asked = {"flips": flips, "explain_budget": explain_budget}
    wishes = commands.Wishes(criteria, out, json, quiet, fail_on, level, seed, country, *run_as, **asked)
    with commands.telling(quiet or json) as tell:
        tell(f"loading {subject}")
        record = commands.audit(from_file(subject), wishes, tell)
    raise typer.Exit(commands.deliver(record, wishes))


@app.command()
def fairness(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a person.")],
    target: Annotated[
        str | None,
        typer.Option("--target", help="Column of the true labels, where they are known.", show_default=False),
    ] = None,
    prediction: Annotated[
        str | None, typer.Option("--prediction", help="Column of the decisions.", show_default=False)
    ] = None,
    score: Annotated[
        str | None,
        typer.Option("--score", help="Column of probabilities, instead of --prediction.", show_default=False),
    ] = None,
    threshold: Annotated[float, typer.Option("--threshold", help="A score from here on is a positive decision.")] = 0.5,
    sensitive: Annotated[
        list[str] | None,
        typer.Option("--sensitive", help="Column of a sensitive attribute; may be repeated.", show_default=False),
    ] = None,
    positive: Annotated[
        list[str] | None,
        typer.Option("--positive", help="Which label is the positive one; may be repeated.", show_default=False),
    ] = None,
    task: Annotated[str, typer.Option("--task", help="binary, multiclass, regression or ranking.")] = "binary",
    weight: Annotated[
        str | None,
        typer.Option(
            "--weight",
            help="Column of the weight of a row in a sample; of counts, repeat the rows.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Column naming what rows hang together in.", show_default=False)
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--control", help="Column to hold fixed in comparisons; may be repeated.", show_default=False),
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="Column of periods, or of times with --every.", show_default=False)
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="day, week, month, quarter or year.", show_default=False)
    ] = None,
    query: Annotated[
        str | None, typer.Option("--query", help="Column naming the list of a ranking.", show_default=False)
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="Column of texts to find groups in, by --terms.", show_default=False)
    ] = None,
    terms: Annotated[
        Path | None, typer.Option("--terms", help="YAML file: for each group its list of words.", show_default=False)
    ] = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Places of a ranking that count as selected.")] = 0,
    standard: Annotated[
        str | None, typer.Option("--standard", help="Add the tables of a rule: nyc-ll144.", show_default=False)
    ] = None,
    mitigate: Annotated[
        list[str] | None,
        typer.Option("--mitigate", help="Method of mitigation to try; may be repeated.", show_default=False),
    ] = None,
    minimum_count: Annotated[
        int, typer.Option("--minimum-count", min=0, help="Show no rate of fewer rows than this.")
    ] = 0,
    depth: Annotated[int, typer.Option("--depth", min=1, help="How many attributes a group may combine.")] = 2,
    replicates: Annotated[int, typer.Option("--replicates", min=0, help="Resamples; 0 for closed forms only.")] = 10000,
    posterior: Annotated[bool, typer.Option("--posterior", help="Credible intervals of rates and gaps.")] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="List every metric of each group, also of more than 1,000 groups.")
    ] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Count a table of any length, in little memory.")] = False,
    out: Out = None,
    criteria: CriteriaFile = None,
    json: Json = False,
    level: Level = 0.95,
    fail_on: FailOn = "inconclusive",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Audit a table of predictions; no model is needed."""
    from ..audit.fairness.analysis import Fairness
    from ..models.subject import Subject
    from . import commands

    shown = {"standard": standard or "", "mitigate": tuple(mitigate or ()), "posterior": posterior, "top": top}
    shown["complete"] = complete
    asked = Fairness(replicates, seed, minimum_count, depth, **shown)
    wishes = commands.Wishes(criteria, out, json, quiet, fail_on, level, seed, fairness=asked)
    parts = {"target": target, "prediction": prediction, "score": score, "sensitive": sensitive or ()}
    parts |= {"weight": weight, "cluster": cluster, "control": control or (), "window": window, "every": every}
    parts |= {"query": query, "top": top, "task": task, "threshold": threshold, "positive": positive or None}
    with commands.telling(quiet or json) as tell:
        if text is not None or terms is not None:
            record = commands.audit(commands.of_texts(table, text, terms, parts, stream=stream), wishes, tell)
        elif stream:
            record = commands.audit_in_pieces(table, parts, wishes, tell)
        else:
            record = commands.audit(Subject.from_predictions(table, **parts), wishes, tell)
    raise typer.Exit(commands.deliver(record, wishes))


@app.command()
def report(
    record: Annotated[Path, typer.Argument(help="An audit's folder or its record.json.")],
    to: Annotated[str, typer.Option("--to", help="html, markdown or text.")] = "html",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into. [default: print]", show_default=False)
    ] = None,
) -> None:
    """Render a record again, in another form."""
    from ..audit.record import Record
    from . import formats

    text = formats.render(Record.load(record), to)
    if out is None:
        sys.stdout.write(text)
    else:
        print(formats.write(text, to, out))


@app.command()
def dashboard(
    folder: Annotated[Path, typer.Argument(help="Folder of audits.")] = Path("audits"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
) -> None:
    """Explore a folder of records in the browser, on this machine only."""
    from ..dashboards import launch

    raise typer.Exit(launch.launch(folder, port))


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what can be measured on this machine, what cannot, and why."""
    from . import doctor as examination

    print(examination.render(examination.examine(), json=json))


@app.command()
def schema() -> None:
    """Print the JSON schema of record.json."""
    from json import dumps

    from ..audit.record import schema as of_record

    print(dumps(of_record(), indent=1))


def main() -> None:
    """Entry point: every error is one line on stderr that says what, where and how to mend it."""
    sys.exit(_guarded(sys.argv[1:]))


def _guarded(arguments: list[str]) -> int:
    from ..models.errors import GnomonError

    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    if debug:
        arguments = [*(a for a in own if a != "--debug"), *arguments[len(own) :]]
    try:
        code = app(arguments, prog_name="gnomon", standalone_mode=False) or 0
        if code == INTERRUPTED:  # typer has turned the interrupt into this code already
            _complain("interrupted; nothing half-written was left")
        return code
    except USAGE_ERROR as error:
        return _complain(f"{error.format_message()} (gnomon --help shows how)")
    except GnomonError as error:
        if debug:
            raise
        return _complain(str(error))
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone; the interpreter would complain once more
        return 0
    except MemoryError:
        return _complain("memory ran out; give fewer rows, or a smaller --batch-size")
    except Exception as error:
        if debug:
            raise
        _complain(f"stopped by an error that it did not foresee: {type(error).__name__}: {error}; --debug shows where")
        return UNFORESEEN


def _complain(message: str) -> int:
    print("gnomon: " + " ".join(message.split()), file=sys.stderr)
    return 2

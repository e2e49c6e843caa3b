"""The walls of the house: imports run one way, records need no torch, and the wheel is the tree."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("models", "audit", "reports", "dashboards")
WIRING = {"reports.cli", "reports.commands", "reports.files", "reports.doctor"}  # they alone wire everything together
MAY_SEE = {
    "models": {"models"},
    "audit": {"audit", "models"},
    "reports": {"reports", "audit", "models"},
    "dashboards": {"dashboards", "reports", "audit"},
}
RECORD_SIDE = {
    "audit",
    "audit.record",
    "audit.measure",
    "audit.findings",
    "audit.messages",
    "audit.errors",
    "audit.criteria",
}
TORCH_FREE = [
    "gnomon.audit.record", "gnomon.audit.engine", "gnomon.audit.fairness.analysis", "gnomon.audit.performance",
    "gnomon.audit.data", "gnomon.audit.energy.analysis", "gnomon.audit.energy.meter", "gnomon.audit.explain.analysis",
    "gnomon.models.subject", "gnomon.models.predictions", "gnomon.models.datasets.simulated",
    "gnomon.reports.html", "gnomon.reports.console", "gnomon.reports.markdown", "gnomon.reports.cli",
    "gnomon.reports.commands", "gnomon.reports.files", "gnomon.reports.doctor", "gnomon.dashboards.launch",
]  # fmt: skip


def modules():
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path):
    """What a module imports of ours, wherever the import stands; those for type checkers alone left out."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                target = ".".join([*base, *([node.module] if node.module else [])])
            else:
                target = (node.module or "").removeprefix("gnomon.") if (node.module or "").startswith("gnomon") else ""
            for alias in node.names:
                full = f"{target}.{alias.name}" if target else alias.name
                found.update(m for m in (full, target) if m in everything and (m == full or full not in everything))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found - {name}


everything = modules()
graph = {name: imports(name, path) for name, path in everything.items()}


@pytest.mark.parametrize("name", graph)
def test_no_module_imports_from_a_room_above(name):
    room = name.split(".")[0]
    allowed = MAY_SEE[room] | ({"dashboards"} if name == "reports.cli" else set())
    seen = {target for target in graph[name] if target.split(".")[0] not in allowed}
    assert not seen, f"{name} imports {sorted(seen)}"


def test_renderers_see_the_record_and_nothing_of_the_engine():
    for name in graph:
        if name.startswith("reports") and name not in WIRING:
            engine = {t for t in graph[name] if t.startswith("audit") and t not in RECORD_SIDE | {"audit.analysis"}}
            assert not engine, f"{name} reaches into the engine: {sorted(engine)}"
            assert not any(t.startswith("models") for t in graph[name]), f"{name} reaches into models"


def test_imports_form_no_circle():
    done, under_way = set(), []

    def walk(name):
        if name in done:
            return
        assert name not in under_way, f"circle: {' -> '.join([*under_way[under_way.index(name) :], name])}"
        under_way.append(name)
        for target in sorted(graph[name]):
            walk(target)
        under_way.pop()
        done.add(name)

    for name in graph:
        walk(name)


def test_the_walls_are_tested_against_something():
    assert len(graph) > 40
    assert "audit.measure" in graph["audit.record"]
    assert "models.batch" in graph["audit.fairness.analysis"]


def test_what_reads_records_loads_no_torch():
    code = f"import sys\nfor m in {TORCH_FREE!r}:\n __import__(m)\n assert 'torch' not in sys.modules, m"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_answers_without_heavy_imports():
    code = (
        "import sys\nfrom gnomon.reports import cli\n"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'pydantic', 'altair', 'streamlit'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_wheel_ships_exactly_the_tree_under_one_name(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, "."]
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
    if tracked.returncode:
        pytest.skip("not a git checkout: what belongs to the tree cannot be told")
    for name in filter(None, tracked.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(command, cwd=source, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    tree = {f"gnomon/{p.relative_to(ROOT)}" for p in everything.values()} | {"gnomon/__init__.py", "gnomon/py.typed"}
    tree |= {f"gnomon/reports/templates/{p.name}" for p in (ROOT / "reports" / "templates").iterdir()}
    assert shipped == tree


def test_every_package_of_the_tree_is_listed():
    text = (ROOT / "pyproject.toml").read_text()
    for path in everything.values():
        if path.name == "__init__.py":
            assert f'"gnomon.{".".join(path.parent.relative_to(ROOT).parts)}"' in text


def test_every_public_function_and_class_says_what_it_is():
    silent = []
    for name, path in everything.items():
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{name} has no docstring"
        for node in tree.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if public and not ast.get_docstring(node) and name != "reports.cli":
                silent.append(f"{name}.{node.name}")
    assert not [s for s in silent if s not in ALLOWED_SILENT], silent


ALLOWED_SILENT = {"audit.findings.Verdict"}


def test_every_source_cited_is_in_the_bibliography():
    known = set(re.findall(r"^- \*\*\[([a-z0-9-]+)\]\*\*", (ROOT / "docs" / "bibliography.md").read_text(), re.M))
    cited = {}
    for name, path in everything.items():
        for key in re.findall(r"\[([a-z]+(?:-[a-z]+)*-?(?:19|20)\d\d[a-z0-9-]*)\]", path.read_text()):
            cited.setdefault(key, name)
    assert len(cited) > 10
    assert not set(cited) - known, {key: cited[key] for key in set(cited) - known}


def test_the_readme_shows_the_real_help():
    shown = (ROOT / "README.md").read_text()
    real = subprocess.run(
        [sys.executable, "-c", "from gnomon.reports.cli import main; main()", "--help"],
        capture_output=True, text=True, check=True, env={"PATH": "", "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
    ).stdout  # fmt: skip
    assert real.strip() in shown


def test_nothing_in_the_project_names_a_folder_of_one_machine():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".css", ".jinja", ".txt"} and path.is_file():
            assert str(ROOT.parent) + "/" not in path.read_text(), name

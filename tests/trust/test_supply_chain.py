"""That no code of ours can run what a file holds: no pickle, no evaluated text, no shell, no code from a hub."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("grounding", "training", "tests")
SOURCES = [ROOT / "app.py", *sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))]
MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "__import__", "os.system", "os.popen", "torch.jit.load", "torch.hub.load"}
LOADERS = {"torch", "np", "numpy", "yaml", "torch.jit", "torch.hub"}
WEIGHTS = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".npy", ".npz", ".onnx", ".h5"}
NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "yaml.load": ("safe", True)}


def offences(source: str) -> list[str]:
    """What a module does that could run what a file holds, each as it is written there."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if _imports(node) or _calls(node)]


def _imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):  # `from torch import load` would hide the call
        names = {alias.name for alias in node.names}
        return (node.module or "").split(".")[0] in MODULES or (node.module in LOADERS and "load" in names)
    return False


def _calls(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name, said = ast.unparse(node.func).replace("numpy.", "np."), {word.arg: word.value for word in node.keywords}
    if name in CALLS or name.endswith("unsafe_load") or "trust_remote_code" in said:
        return True
    if name in NEEDED and not _is(said.get(NEEDED[name][0]), NEEDED[name][1]):
        return True
    loads = name.endswith(".from_pretrained") and name != "nn.Embedding.from_pretrained"  # which takes a tensor
    if loads and not _is(said.get("local_files_only"), True):
        return True
    return "shell" in said and not _is(said["shell"], False)


def _is(node: ast.AST | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_nothing_runs_what_a_file_holds():
    found = {str(path.relative_to(ROOT)): offences(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert "app.py" in found and "grounding/files.py" in found
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "from torch import load",
        "import joblib as jobs",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=maybe)",
        "np.load(path)",
        "numpy.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "torch.jit.load(path)",
        "AutoModel.from_pretrained(name)",
        "AutoModel.from_pretrained(name, local_files_only=True, trust_remote_code=True)",
    ],
)
def test_each_of_these_would_be_found(line):
    assert offences(f"def load():\n    {line}")


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, map_location='cpu', weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "model.eval()",
        "subprocess.run(['ffmpeg', name])",
        "AutoModel.from_pretrained(folder, local_files_only=True)",
        "nn.Embedding.from_pretrained(tensor)",
    ],
)
def test_and_none_of_these(line):
    assert not offences(line)


def test_weights_that_come_with_the_code_are_safetensors():
    shipped = [path for name in ("checkpoints", "grounding") for path in (ROOT / name).rglob("*") if path.is_file()]
    assert any(path.suffix == ".safetensors" for path in shipped)
    assert not [path for path in shipped if path.suffix in WEIGHTS]

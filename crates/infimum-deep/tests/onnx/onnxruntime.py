"""Compares every NAME.onnx of a folder, as onnxruntime computes it, with NAME.json: `python onnxruntime.py FOLDER`."""

import json
import pathlib
import sys

import numpy
import onnx

sys.path.pop(0)  # This file's folder, so that its name hides no package.
import onnxruntime

worst, count = 0.0, 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    expected = json.loads(path.with_suffix(".json").read_text())
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kind = {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}[session.get_inputs()[0].type]
    rows = numpy.array(expected.pop("rows")).astype(kind)
    names = [output.name for output in session.get_outputs()]
    assert set(names) == set(expected), f"{path.stem}: outputs {names}, expected {list(expected)}"
    for name, got in zip(names, session.run(None, {"x": rows})):
        wanted = numpy.array(expected[name])
        assert got.shape == wanted.shape, f"{path.stem}: {name} has shape {got.shape}, expected {wanted.shape}"
        if name == "label":
            assert (got == wanted).all(), f"{path.stem}: labels {got}, expected {wanted}"
            continue
        difference = abs(got - wanted).max() / max(1.0, abs(wanted).max())
        assert difference <= 1e-5, f"{path.stem}: {name} differs by {difference}"
        worst = max(worst, difference)
    count += 1
assert count > 0
print(f"{count} files, largest relative difference {worst:.1e}")

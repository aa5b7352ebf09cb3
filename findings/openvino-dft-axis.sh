#!/usr/bin/env bash
# OpenVINO transforms the wrong axis of an ONNX file with a DFT, without a word.
#
# Versions:  openvino 2026.4.1; beside it onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6.
# Behaviour: since opset 20 the axis of the ONNX operator DFT is its third input, no longer an attribute. OpenVINO reads
#            such a file, ignores that input and always transforms axis 1. Shape and type of the answer are right.
#            The same transform in opset 19, where the axis is an attribute, is read correctly.
# Expected:  the axis of the file, as in ONNX Runtime and numpy, or an error that says that opset 20 is not supported.
# Hit:       whoever exports a network with torch.fft (spectral layers, k-space, frequency features of an image) by
#            torch.onnx.export, whose axes are inner ones, and runs the file in OpenVINO. A way round: transpose, so
#            that every DFT of the file stands on axis 1.
#
# Output:
#   opset 19, axis 1 in the file: ONNX Runtime transforms axis [1], OpenVINO axis [1]
#   opset 19, axis 2 in the file: ONNX Runtime transforms axis [2], OpenVINO axis [2]
#   opset 19, axis 3 in the file: ONNX Runtime transforms axis [3], OpenVINO axis [3]
#   opset 20, axis 1 in the file: ONNX Runtime transforms axis [1], OpenVINO axis [1]
#   opset 20, axis 2 in the file: ONNX Runtime transforms axis [2], OpenVINO axis [1]
#   opset 20, axis 3 in the file: ONNX Runtime transforms axis [3], OpenVINO axis [1]
#   as stated: at opset 20 OpenVINO transforms axis 1, whatever the file says
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

SHAPE = (1, 4, 6, 8)  # all axes but the first differ in length; ONNX wants one more for the real and the imaginary part
signal = np.random.default_rng(0).random(SHAPE, dtype=np.float32)


def file(opset, axis):
    """One DFT along one axis of a real signal."""
    if opset >= 20:
        node = helper.make_node("DFT", ["signal", "", "axis"], ["spectrum"])
        constants = [helper.make_tensor("axis", TensorProto.INT64, [], [axis])]
    else:
        node, constants = helper.make_node("DFT", ["signal"], ["spectrum"], axis=axis), []
    source = helper.make_tensor_value_info("signal", TensorProto.FLOAT, [*SHAPE, 1])
    target = helper.make_tensor_value_info("spectrum", TensorProto.FLOAT, [*SHAPE, 2])
    graph = helper.make_graph([node], "dft", [source], [target], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def axes_found(spectrum):
    """The axes along which numpy's transform of the signal equals this one."""
    as_complex = spectrum[..., 0] + 1j * spectrum[..., 1]
    return [axis for axis in range(4) if np.allclose(as_complex, np.fft.fft(signal, axis=axis), atol=1e-4)]


core, inputs, seen = openvino.Core(), signal[..., None], {}
for opset in (19, 20):
    for axis in (1, 2, 3):
        model = file(opset, axis)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        runtime = axes_found(session.run(None, {"signal": inputs})[0])
        vino = axes_found(core.compile_model(core.read_model(model), "CPU")(inputs)[0])
        seen[opset, axis] = runtime, vino
        print(f"opset {opset}, axis {axis} in the file: ONNX Runtime transforms axis {runtime}, OpenVINO axis {vino}")

stated = {(opset, axis): ([axis], [1 if opset == 20 else axis]) for opset, axis in seen}
assert seen == stated, f"changed: expected {stated}, found {seen}"
print("as stated: at opset 20 OpenVINO transforms axis 1, whatever the file says")
PYTHON

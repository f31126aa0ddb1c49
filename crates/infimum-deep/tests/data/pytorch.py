"""Makes the files beside this one: networks as PyTorch exports them, and what PyTorch computes.

    pip install torch==2.15.0 onnx==1.23.2 onnxscript safetensors && python pytorch.py

For each network NAME.onnx and NAME.json: `input`, rows in the order that infimum expects (of images height, width, channel), `output`, the rows that PyTorch computes.
"""

import json
import os
import warnings

import onnx
import torch
from safetensors.torch import save_file
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(5)


class Block(nn.Module):
    """A residual block with a convolution in its shortcut, and one without."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.short = nn.Conv2d(3, 6, 1, stride=2)
        self.third = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.norm(self.first(x)))
        y = torch.relu(self.second(y) + self.short(x))
        return y + torch.tanh(self.third(y))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.gate = nn.Linear(6, 5)

    def forward(self, x):
        return self.gate(nn.functional.silu(self.block(x)).mean((2, 3)))


class Views(nn.Module):
    """Flattened by shapes that are computed, and numbers normalised after it."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(2, 4, 3)
        self.norm = nn.BatchNorm1d(4 * 3 * 2)
        self.scores = nn.Linear(4 * 3 * 2, 3)

    def forward(self, x):
        x = torch.max_pool2d(nn.functional.leaky_relu(self.convolution(x)), 2, 1)
        x = torch.relu(x.view(x.size(0), -1))
        return torch.log_softmax(self.scores(nn.functional.gelu(self.norm(x))), 1)


mlp = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3), nn.Softmax(1))
binary = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 1), nn.Sigmoid())
cnn = nn.Sequential(
    nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 8, 3), nn.ReLU(), nn.BatchNorm2d(8), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(8 * 2 * 2, 10),
)
networks = {
    "mlp": (mlp, (4,), True),
    "mlp-binary": (binary, (4,), False),
    "cnn": (cnn, (1, 12, 12), True),
    "cnn-older": (cnn, (1, 12, 12), False),
    "cnn-residual": (Residual(), (3, 7, 8), True),
    "cnn-views": (Views(), (2, 6, 5), False),
}


def settle(network, shape):
    """Running values and gains that are not those of the beginning."""
    network.train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(20):
            network(torch.randn(8, *shape) * 2 + 0.5)
    network.eval()


folder = os.path.dirname(os.path.abspath(__file__))
for name, (network, shape, dynamo) in networks.items():
    settle(network, shape)
    x = torch.randn(5, *shape)
    path = os.path.join(folder, name + ".onnx")
    if dynamo:
        torch.onnx.export(network, (x,), path, dynamo=True, external_data=False, verbose=False, dynamic_shapes=({0: torch.export.Dim("batch")},))
        model = onnx.load(path)
        for node in model.graph.node:  # Stack traces name this machine's folders.
            del node.metadata_props[:]
        onnx.save(model, path)
    else:
        torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "N"}})
    rows = x.permute(0, 2, 3, 1) if len(shape) == 3 else x
    with torch.no_grad():
        output = network(x)
    written = {"input": rows.reshape(5, -1).tolist(), "output": output.reshape(5, -1).tolist()}
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump(written, file)
    if name in ("cnn", "mlp"):
        save_file(network.state_dict(), os.path.join(folder, name + ".safetensors"))

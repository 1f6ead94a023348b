"""int8 products by the rule that the kernels promise, in sizes that fill no panel and no vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_kernels import kernels

from transduce.engine.programs.program import Program
from transduce.kernels.running.runner import Extent, Runner

STEPS = (63, 127)  # of an activation's largest size: what instructions sum up decides which


def by_the_rule(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, steps: int) -> np.ndarray:
    """Each row and each column over its own largest size, whole numbers multiplied."""
    unit = np.abs(x).max(1, keepdims=True).astype(np.float32) / np.float32(steps)
    own = np.abs(weight).max(1, keepdims=True) / np.float32(127)
    sums = np.rint(x / unit).astype(np.int64) @ np.rint(weight / own).astype(np.int64).T
    return sums * (unit.astype(np.float64) * own.T) + bias


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
def test_linear(activation: str, add: bool) -> None:
    library = kernels()
    generator = np.random.default_rng(5)
    shapes = [(1, 1, 1), (2, 31, 15), (3, 32, 16), (4, 33, 17), (5, 64, 48), (6, 71, 40)]
    for rows, depth, columns in [*shapes, (13, 128, 64), (49, 7, 96), (97, 40, 33)]:
        x = generator.normal(size=(rows, depth)).astype(np.float32)
        before = generator.normal(size=(rows, columns)).astype(np.float32)
        weight = generator.normal(size=(columns, depth)).astype(np.float32)
        bias = generator.normal(size=columns).astype(np.float32)
        program = Program(library, "int8")
        source, out = program.buffer(depth), program.buffer(columns)
        program.fetch("x", source, stride=depth)
        program.fetch("before", out, stride=columns)
        affine = torch.from_numpy(weight), torch.from_numpy(bias)
        program.linear(source, out, *affine, activation=activation, add=add)  # type: ignore[arg-type]
        program.put(out, "found", stride=columns)
        found = torch.empty(rows, columns)
        given = {"x": torch.from_numpy(x), "before": torch.from_numpy(before), "found": found}
        Runner(program).run(given, Extent(rows=rows, sentences=rows, source=1))

        function = {"relu": torch.relu, "gelu": torch.nn.functional.gelu}.get(activation)
        wanted = []
        for steps in STEPS:
            values = torch.from_numpy(by_the_rule(x, weight, bias, steps))
            values = values if function is None else function(values)
            wanted.append(values.numpy() + (before if add else 0))
        near = [np.allclose(found.numpy(), values, rtol=1e-5, atol=2e-4) for values in wanted]
        assert any(near), (rows, depth, columns)

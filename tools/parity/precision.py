"""Runs a model in float64, including the casts to float32 that Hugging Face writes into its forward."""

from __future__ import annotations

import copy

import torch
from torch.overrides import TorchFunctionMode

WIDE = {torch.float32: torch.float64}


class Float64(TorchFunctionMode):
    """Turns every explicit request for float32 into float64, so that no norm or softmax drops precision."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.float:
            return torch.Tensor.double(*args)
        args = tuple(WIDE.get(a, a) if isinstance(a, torch.dtype) else a for a in args)
        for key, value in kwargs.items():
            if isinstance(value, torch.dtype):
                kwargs[key] = WIDE.get(value, value)
        return func(*args, **kwargs)


def logits64(model, input_ids: torch.Tensor, **kwargs) -> torch.Tensor:
    """Logits of a float64 copy. Rotary frequencies keep their float32 values: those are part of the model."""
    wide = copy.deepcopy(model).double()
    with torch.no_grad(), Float64():
        out = wide(input_ids=input_ids, **kwargs).logits
    assert out.dtype == torch.float64
    return out

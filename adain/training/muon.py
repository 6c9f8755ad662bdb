"""Muon for convolutions: Keras' optimizer, which takes matrices only, on kernels laid out flat."""

from __future__ import annotations

import keras
from keras import ops

from adain.networks.keras.ops import Tensor


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024) for kernels between hidden layers, Adam for all other weights.

    The momentum of a kernel, as a matrix (rows * columns * inputs, outputs), is made nearly
    orthogonal before it is subtracted, scaled as in Liu et al. 2025 so that learning rates of Adam
    fit. Unlike Adam's, such a step cannot push many outputs the same way at once, which kills
    ReLUs.
    """

    PIXELS = 3  # channels of a picture: its layers are not hidden ones

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 4 or self.PIXELS in variable.shape[2:]

    def _muon_update_step(self, gradient: Tensor, variable: keras.Variable, lr: Tensor,
                          m: keras.Variable) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        step = ops.add(gradient, self.momentum * m) if self.nesterov else m
        flat = ops.reshape(step, (-1, variable.shape[-1]))
        flat = self.lr_adjust(lr * self.zeropower_via_newtonschulz5(flat, self.ns_steps))
        self.assign_sub(variable, ops.reshape(flat, variable.shape))

"""Gradient accumulation: a step whose batch is computed in parts, one after the other.

Keras' own (`gradient_accumulation_steps`) counts parts as steps: in learning rate schedules, in
averages of weights, and in what a checkpoint may interrupt. Here a step is a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops, tree

from adain.errors import OptionError

if TYPE_CHECKING:
    from adain.training.model import RecordedModel

BACKENDS = ("tensorflow", "jax")


def check(parts: int) -> None:
    """Raise OptionError where a step of parts cannot be computed."""
    backend = keras.backend.backend()
    if parts > 1 and backend not in BACKENDS:
        raise OptionError(f"`accumulate={parts}` needs Keras on {' or '.join(BACKENDS)}; "
                          f"KERAS_BACKEND is {backend}.")


def step(model: RecordedModel, parts: int, *arguments: Any) -> Any:
    """Do what keras.Model.train_step(*arguments) does, with a batch that is cut into parts.

    The losses of a batch are means over its items, and so are the gradients over the parts.
    """
    compute = _step_on_jax if keras.backend.backend() == "jax" else _step_on_tensorflow
    return compute(model, parts, *arguments)


def _cut(batch: Any, parts: int) -> Any:
    """Return arrays (items of a part, parts, ...): devices that share the batch share each part."""
    return tree.map_structure(
        lambda array: ops.reshape(array, (-1, parts, *array.shape[1:])), batch)


def _step_on_tensorflow(model: RecordedModel, parts: int, data: Any) -> Any:
    import tensorflow as tf

    batch, weights = _cut(_inputs(data), parts), model.trainable_weights

    def add_part(number: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
        part = tree.map_structure(lambda array: array[:, number], batch)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(part, y_pred=model(part, training=True))
            model._loss_tracker.update_state(loss * model.replicas)
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, weights)
        return number + 1, [total + each for total, each in zip(sums, gradients)]

    _, sums = tf.while_loop(lambda number, _: number < parts, add_part,
                            (0, [tf.zeros(weight.shape, weight.dtype) for weight in weights]))
    model.optimizer.apply_gradients(zip([total / parts for total in sums], weights))
    return model.compute_metrics(_inputs(data), None, None)


def _step_on_jax(model: RecordedModel, parts: int, state: Any, data: Any) -> Any:
    import jax

    weights, others, optimizer, metrics = state
    losses = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
    batch = tree.map_structure(lambda array: ops.moveaxis(array, 1, 0),
                               _cut(_inputs(data), parts))

    def add_part(carried: Any, part: Any) -> tuple[Any, None]:
        sums, others, metrics = carried
        (_, (loss, result, others, metrics)), gradients = losses(
            weights, others, metrics, part, None, None, training=True,
            optimizer_variables=optimizer)
        _, metrics = model._update_metrics_variables(metrics, loss, part, None, result, None)
        return (tree.map_structure(ops.add, sums, gradients), others, metrics), None

    zeros = [ops.zeros_like(weight) for weight in weights]
    (sums, others, metrics), _ = jax.lax.scan(add_part, (zeros, others, metrics), batch)
    weights, optimizer = model.optimizer.stateless_apply(
        optimizer, [total / parts for total in sums], weights)
    with keras.StatelessScope(zip(model.metrics_variables, metrics)):
        logs = model.get_metrics_result()
    return logs, (weights, others, optimizer, metrics)


def _inputs(data: Any) -> Any:
    """Return the batch itself of what fit() gives, which has no targets here."""
    return keras.utils.unpack_x_y_sample_weight(data)[0]

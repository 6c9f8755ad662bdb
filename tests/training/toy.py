"""A model of one number in the real training loop, whose steps can be computed by hand.

    KERAS_BACKEND=jax python tests/training/toy.py FOLDER ACCUMULATE EMA ITEM,ITEM... ...

takes one step for each batch of four items, on all devices: in two runs, of which the second one
resumes the first and takes the last step. The loss is the mean square of the number's distance to
the items, the rate 0.5: so each step makes the number the mean of its batch.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops

from adain.networks import checkpoint
from adain.training import accumulation, distribution, loop
from adain.training.config import TrainConfig
from adain.training.model import RecordedModel
from adain.training.watch import Watch


class Toy(RecordedModel):
    """Records its loss as "content" and the number of the step as "style"."""

    def __init__(self, config):
        super().__init__(config, ["content", "style"], "float32")
        self.number = self.add_weight((), "zeros", name="number")
        self.built = True

    def call(self, batch, training=True):
        return ops.square(self.number - ops.cast(batch, "float32"))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = ops.mean(y_pred)
        self.record({"content": loss, "style": ops.cast(self.step, "float32")})
        return loss / self.replicas

    def networks(self):
        return {"number": ops.convert_to_numpy(self.number)}

    def preview(self, examples):
        return examples


class Method:
    name, usage = "toy", ""

    def __init__(self, config, continue_from=None):
        self.config, self.continue_from = config, continue_from

    def check_resumed(self, resumed):
        pass

    def build(self, resumed):
        model, config = Toy(self.config), self.config
        accumulation.check(config.accumulate)
        model.compile(keras.optimizers.SGD(0.5, momentum=0.0, use_ema=config.ema > 0,
                                           ema_momentum=config.ema))
        model.optimizer.build(model.trainable_variables)
        start = resumed
        if start is None and self.continue_from:
            start = checkpoint.load(self.continue_from, None)
        if start is not None:
            with np.load(start.path / "model.npz", allow_pickle=False) as file:
                model.number.assign(file["number"])
        return model

    def initialize(self, model, batches):
        pass

    def about(self):
        return {"method": "toy"}


def train(folder, batches, strategy=None, **options):
    """Take one step for each of these batches, the first of which may be done already."""
    config = TrainConfig(max_iter=len(batches), save_iter=1, summary_iter=1, keep=9, **options)
    return train_phase(config, folder, batches, strategy=strategy)


def train_phase(config, folder, batches, continue_from=None, stop=None, strategy=None,
                allow_changes=False, arrivals=None):
    """Do what adain.train() does.

    batches: the items of each step, or what adain.training.loop.fit() takes.
    """
    def feed(first, last, context=None):
        items = np.asarray(batches[first:last], np.float32)
        if keras.backend.backend() != "tensorflow":
            return ((batch,) for batch in items)
        import tensorflow as tf

        size, found = len(items[0]), tf.data.Dataset.from_tensor_slices(items).unbatch()
        if context is not None:
            found = found.batch(size // context.num_input_pipelines).shard(
                context.num_input_pipelines, context.input_pipeline_id).unbatch()
        return found.batch(size // distribution.device_count(strategy))

    return loop.fit(Method(config, continue_from), config,
                    batches if callable(batches) else feed,
                    Watch(np.zeros((8, 8, 3), np.uint8), arrivals=arrivals), folder,
                    strategy=strategy, stop=stop, allow_changes=allow_changes)


def history(folder):
    return [(line["losses"]["loss"], line["losses"]["content"], line["losses"]["style"])
            for line in map(json.loads, (Path(folder) / "history.jsonl").read_text().splitlines())]


if __name__ == "__main__":
    folder, parts, ema, *batches = sys.argv[1:]
    items = [list(map(float, batch.split(","))) for batch in batches]
    strategy = distribution.choose()
    for count in (len(items) - 1, len(items)):
        train(folder, items[:count], strategy, accumulate=int(parts), ema=float(ema),
              batch_size=4 // int(parts))

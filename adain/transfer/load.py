"""Load the networks for the arguments of Stylizer."""

from __future__ import annotations

from pathlib import Path

from adain.errors import OptionError, WeightsError
from adain.networks import weights
from adain.networks.architecture import preset
from adain.networks.networks import Networks
from adain.transfer import style_file as stylefile


def from_checkpoint(path: str | Path, model: str | None, vgg_path: str | Path | None,
                    decoder_path: str | Path | None) -> Networks:
    """Return the networks of a checkpoint, or of the newest one in a folder of checkpoints.

    Raises:
        WeightsError: there is no checkpoint, or it is damaged.
        OptionError: the arguments do not fit the checkpoint.
    """
    from adain.networks import checkpoint as checkpoints

    if Path(path).suffix == stylefile.SUFFIX and Path(path).is_file():
        raise WeightsError(f"{path} is a file; a checkpoint is a folder that train.py writes. A "
                           "network for one style is read by adain.methods.johnson.network."
                           "StyleNetwork.")
    saved = checkpoints.load(path)
    if model is not None and model != saved.model:
        raise OptionError(f"{saved.path} holds the model {saved.model}; received `model={model}`.")
    if decoder_path is not None:
        raise OptionError("`checkpoint` has a decoder: leave out `decoder_path`.")
    return saved.networks(vgg_path)


def from_files(model: str, vgg_path: str | Path | None,
               decoder_path: str | Path | None) -> Networks:
    """Return the shipped networks of a model, or published ones from files.

    Raises:
        WeightsError: a file is missing or damaged.
        OptionError: the files are not for this model, or not for each other.
    """
    if preset(model).trains_encoder and (vgg_path or decoder_path):
        raise OptionError(f"`vgg_path` and `decoder_path` are for `model=vgg19`, not {model}.")
    torch_encoder = vgg_path is not None and Path(vgg_path).suffix == ".t7"
    if torch_encoder != (decoder_path is not None):
        raise OptionError("vgg_normalised.t7 and decoder.t7 work only together, because the "
                          "shipped networks are normalized differently: give both `vgg_path` and "
                          "`decoder_path`, or neither.")
    return weights.load(model, vgg_path, decoder_path)

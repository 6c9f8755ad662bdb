"""What a run must have in common with the checkpoint that it resumes, to be the same run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adain.errors import OptionError
from adain.networks.checkpoint import Checkpoint
from adain.training.config import TrainConfig
from adain.training.picture_files import File, name_below

logger = logging.getLogger(__name__)

# What changes nothing that is computed.
FREE = ("max_iter", "save_iter", "summary_iter", "keep", "gallery_size", "evaluate_every")
NEW = ("accumulate", "ema")  # older checkpoints were written with their defaults
NOTED = ("jit", "initialization")  # change no more than rounding, or no step after the first


def describe_pictures(path: str | Path, files: Sequence[File]) -> dict[str, Any]:
    """Return a fingerprint of the names of a folder's or an archive's pictures."""
    names = sorted(name_below(path, file) for file in files)
    digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape"))
    return {"path": str(path), "pictures": len(names), "names": digest.hexdigest()[:16]}


def check_changes(resumed: Checkpoint, config: TrainConfig, data: dict[str, dict[str, Any]],
                  allowed: bool) -> None:
    """Raise OptionError if a run would not go on as the checkpoint's would; log the rest.

    data: describe_pictures() of each folder, by the name of its option. allowed: log all.
    """
    now, usual = (json.loads(json.dumps(dataclasses.asdict(each)))
                  for each in (config, TrainConfig()))
    stored = {name: usual[name] for name in NEW} | resumed.config["options"]
    changed = {name: f"`{name}={stored[name]}` (now {value})" for name, value in now.items()
               if name != "model" and name in stored and stored[name] != value}
    before = resumed.config.get("data", {})
    for name, current in data.items():
        old = before.get(name)
        if isinstance(old, dict) and old.get("names") != current["names"]:
            changed[name] = (f"{old.get('pictures')} pictures in `{name}` (now "
                             f"{current['pictures']}, or others)")
    if "max_iter" in changed and config.lr_schedule == "cosine":
        logger.info("%s: with `lr_schedule=cosine` this changes the learning rates",
                    changed["max_iter"])
    noted = [text for name, text in changed.items() if name in NOTED]
    refused = [text for name, text in changed.items() if name not in (*FREE, *NOTED)]
    if refused and not allowed:
        raise OptionError(f"{resumed.path} was trained with {', '.join(refused)}: with that, this "
                          "would be another run. Use the same, or another `checkpoint` folder "
                          "(`continue_from` begins there with these networks), or go on with "
                          "`allow_changes`.")
    if noted or refused:
        logger.info("goes on although it was trained with %s", ", ".join(noted + refused))

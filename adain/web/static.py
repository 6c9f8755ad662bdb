"""Write the page as a folder of static files, which computes in the browser instead of a server.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adain.errors import OptionError
from adain.export import formats, source
from adain.files import find, images
from adain.files.atomic import atomic_entries
from adain.networks.networks import Networks
from adain.transfer.stylizer import STYLE_SIZE, Stylizer
from adain.web.app import PAGE
from adain.web.gallery import ROOT, shipped, title
from adain.web.guard import HEADERS
from adain.web.store import THUMBNAIL_SIZE

NODE = ROOT / "web"  # in a checkout it has package.json, and node_modules after `npm ci`
RUNTIME_VERSION = "1.30.0"  # of onnxruntime-web
# The runtime for CPUs, and the one for GPUs, which browsers with WebGPU load.
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
GPU_RUNTIME = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs",
               "ort-wasm-simd-threaded.asyncify.wasm")
MODEL = "compact"
PARTS = ("tile-features", "tile-statistics", "tile-regions")
SERVER_ONLY = ("engine_server.js",)
SAMPLE_SIZE = 800  # pixels of the shorter side
POLICY = HEADERS["Content-Security-Policy"].replace(
    "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'")


def write(folder: Path, style_path: Sequence[str | Path] | None = None, tune: int = 0) -> int:
    """Write the page to a folder.

    Args:
        folder: a folder that does not exist, is empty, or holds such a page, which is replaced.
        style_path: paintings that the page offers; None: those of the repository.
        tune: iterations that tune each of them, see Stylizer.encode_style().

    Returns:
        The number of bytes written.

    Raises:
        OptionError: onnxruntime-web is missing; the folder holds other files, or cannot be
            written.
        ImageError: style_path has no pictures.
    """
    if folder.exists() and not (folder.is_dir() and (
            not any(folder.iterdir()) or (folder / "sw.js").is_file())):
        raise OptionError(f"{folder} holds other files: name an empty folder or a new one.")
    formats.FORMATS[".onnx"].check()
    runtime = find_runtime()
    with atomic_entries(folder, OptionError) as made:
        _copy_page(made)
        (made / "ort").mkdir()
        for name in (*RUNTIME, *GPU_RUNTIME):
            shutil.copyfile(runtime / name, made / "ort" / name)
        _write_networks(made / "models")
        _write_pictures(made, shipped("styles") if style_path is None else style_path, tune)
        _write_worker(made)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def find_runtime() -> Path:
    """Return the folder of onnxruntime-web.

    It is searched in web/ of a checkout, then in the current folder and those above it, as Node.js
    does.
    """
    folders = [NODE, *(Path.cwd() / "here").parents]
    packages = [folder / "node_modules" / "onnxruntime-web" for folder in folders]
    for package in packages:
        about = package / "package.json"
        if about.is_file() and json.loads(about.read_bytes())["version"] == RUNTIME_VERSION:
            return package / "dist"
    command = (f"npm ci --prefix {NODE}" if (NODE / "package.json").is_file()
               else f"npm install onnxruntime-web@{RUNTIME_VERSION}")
    raise OptionError(f"the static page needs onnxruntime-web {RUNTIME_VERSION} (140 MB in "
                      f"node_modules/): install it with `{command}`, then run this command again.")


def _copy_page(folder: Path) -> None:
    folder.mkdir()
    for file in PAGE.iterdir():
        if file.name not in SERVER_ONLY:
            shutil.copyfile(file, folder / file.name)
    (folder / "engine.js").write_text('export { createEngine } from "./engine_browser.js";\n')
    index = folder / "index.html"
    marker = '<meta charset="utf-8">'
    # Browsers ignore frame-ancestors in a <meta> element.
    policy = POLICY.replace("; frame-ancestors 'none'", "")
    index.write_text(index.read_text(encoding="utf-8").replace(
        marker, f'{marker}\n  <meta http-equiv="Content-Security-Policy" content="{policy}">'),
        encoding="utf-8")
    headers = {**HEADERS, "Content-Security-Policy": POLICY,
               "Cross-Origin-Embedder-Policy": "require-corp"}
    # Netlify and Cloudflare Pages read this file.
    (folder / "_headers").write_text("/*\n" + "".join(
        f"  {name}: {value}\n" for name, value in headers.items()))


def _write_networks(folder: Path) -> None:
    """Write the networks; weights are stored in 16 bits, as in adain/models, computed in 32."""
    folder.mkdir()
    loaded = source.load(MODEL)
    for part in PARTS:
        formats.export(loaded, loaded.plan(part, "float16"), folder / f"{part}.onnx")
    if loaded.networks is not None:
        about = {"channels": loaded.networks.channels, "radius": loaded.networks.radius,
                 "check": _check(loaded.networks)}
        (folder / "networks.json").write_text(json.dumps(about))


def _check(networks: Networks) -> dict[str, Any]:
    """Return a small picture and the networks' result, with which the page checks a GPU."""
    from adain.networks import engine

    size, scale, shift = 32, 0.8, 0.1
    tile = np.random.default_rng(0).random((size, size, 3), np.float32)
    stylized = engine.create("openvino", networks, "float32").transfer_regions(
        tile, np.ones((1, size, size), np.float32),
        np.full((1, networks.channels), scale, np.float32),
        np.full((1, networks.channels), shift, np.float32))
    return {"size": size, "scale": scale, "shift": shift,
            "tile": tile.ravel().tolist(), "stylized": stylized.ravel().tolist()}


def _write_pictures(folder: Path, style_path: Sequence[str | Path], tune: int) -> None:
    """Write paintings with their encoded styles, and sample photographs."""
    stylizer = Stylizer(MODEL, precision="float32")
    styles = []
    for entry, picture in _pictures(folder, "styles", style_path, STYLE_SIZE):
        stats = stylizer.encode_style(picture, tune=tune)
        styles.append({**entry, "mean": stats.mean.tolist(), "std": stats.std.tolist()})
    samples = [entry for entry, _ in _pictures(folder, "samples", shipped("inputs"), SAMPLE_SIZE)]
    (folder / "pictures.json").write_text(json.dumps({"styles": styles, "samples": samples}))


def _pictures(folder: Path, kind: str, paths: Sequence[str | Path],
              size: int) -> list[tuple[dict[str, str], np.ndarray]]:
    """Write pictures, shrunk to a shorter side of `size` pixels, and thumbnails of them.

    Returns:
        For each picture its entry in pictures.json, and the shrunk picture.
    """
    entries, listed = [], [path for path, _ in find.contents(paths)[0]] if paths else []
    (folder / kind).mkdir()
    for index, path in enumerate(listed):
        small = images.shrink(images.read(path), size)
        file, thumbnail = f"{kind}/{path.stem}.jpg", f"{kind}/{path.stem}.small.jpg"
        if (folder / file).exists():
            file, thumbnail = (name.replace(".jpg", f".{index}.jpg") for name in (file, thumbnail))
        images.write(folder / file, small, quality=92)
        images.write(folder / thumbnail, images.shrink(small, THUMBNAIL_SIZE))
        entries.append(({"id": path.stem, "title": title(path.stem), "file": file,
                         "picture": thumbnail}, small))
    return entries


def _write_worker(folder: Path) -> None:
    """Insert the list of files, and a version that is a hash of them, into sw.js."""
    digest = hashlib.sha256()
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for file in files:
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    cached = [file.relative_to(folder).as_posix() for file in files
              if file.name not in (*GPU_RUNTIME, "_headers", "sw.js")]
    worker = folder / "sw.js"
    worker.write_text(worker.read_text(encoding="utf-8")
                      .replace('VERSION = ""', f'VERSION = "adain-{digest.hexdigest()[:16]}"')
                      .replace("FILES = []", f"FILES = {json.dumps(['./', *cached])}"),
                      encoding="utf-8")

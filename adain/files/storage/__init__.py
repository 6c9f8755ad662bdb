"""Pictures in folders, zip and tar files, on this machine or behind URLs: list, read, write.

    listing = Pictures(["photos", "more.zip", "shard-{000000..000146}.tar", "s3://bucket/photos"])
    for entry in listing:                         # lazily, in bounded memory
        data = read(entry)                        # the bytes of the file, by random access
        picture = open_bytes(data, entry.place)   # of adain.files.reader: a Picture
    listing.problems                              # unreadable folders, cut archives

    folder = FolderWriter("results")              # or "s3://bucket/results"
    folder.has("dogs/rex.jpg") or folder.write("dogs/rex.jpg", data)  # whole or not at all
    with write_tar("results/shard-000000.tar") as tar:    # or a URL; appears when it is whole
        tar.write("dogs/rex.jpg", data)

An `Entry` is a small frozen value that can be pickled; read() needs nothing else, in any process.
Nothing is unpacked to disk. URLs need fsspec and the package of their scheme: the extra `cloud`.
"""

from adain.files.storage.entry import Entry
from adain.files.storage.listing import Pictures, expand
from adain.files.storage.reading import read
from adain.files.storage.writing import FolderWriter, TarWriter, exists, write_file, write_tar

__all__ = ["Entry", "FolderWriter", "Pictures", "TarWriter", "exists", "expand", "read",
           "write_file", "write_tar"]

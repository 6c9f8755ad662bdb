"""Pictures and arrays on disk: found, read, written whole or not at all."""

"""Find, read and write pictures and arrays on disk; a written file is complete or absent."""

"""One picture: encode, AdaIN, decode, in tiles; colours; styles as files."""

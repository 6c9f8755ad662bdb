"""python -m adain COMMAND ...: as `adain`."""

from adain.entry_points import main

if __name__ == "__main__":
    main()

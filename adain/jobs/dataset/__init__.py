"""Stylize whole data sets: `adain dataset`.

What a result gets is a pure function of the seed and the content's name (draws.py). A Task, one
content and the results to make of it, is a small value that can be sent to any process, where a
Worker makes it from bytes to bytes (worker.py). The rest lists tasks, runs them and writes.
"""

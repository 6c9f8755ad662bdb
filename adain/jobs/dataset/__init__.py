"""Stylize whole data sets: `adain dataset`.

The styles and the strength of a result are a pure function of the seed and the content's name
(draws.py). A Task names one content and the results to make of it; it is small and can be sent to
any process, where a Worker turns the bytes of the content into the bytes of the results
(worker.py). The other modules list tasks (tasks.py, coco.py), run them (process.py, cluster.py) and
write results (run.py, manifest.py); make.py has Dataset, the public class.
"""

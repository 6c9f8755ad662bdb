"""Many pictures: names of results, how they are made, overlapping reading and writing."""

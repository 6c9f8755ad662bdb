"""Stylize many pictures: name results, overlap reading and writing, make sheets and data sets."""

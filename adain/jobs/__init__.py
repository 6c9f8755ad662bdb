"""Stylize many pictures: names of results, overlapping reading and writing, contact sheets."""

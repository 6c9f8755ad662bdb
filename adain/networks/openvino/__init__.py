"""The networks as OpenVINO graphs, for CPUs."""

"""Write networks as files for other programs: ONNX, LiteRT, SavedModel and OpenVINO."""

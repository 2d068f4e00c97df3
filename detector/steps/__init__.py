"""The steps of the pipeline: look, close, learn, combine, judge, and the threshold."""

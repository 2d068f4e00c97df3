"""From many channels to one score: calibration and the weighted sum of evidence."""

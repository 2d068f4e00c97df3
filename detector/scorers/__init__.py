"""Anomaly scorers: half-space trees and isolation forests as flat arrays, and the files fitted forests live in."""

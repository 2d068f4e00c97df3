"""Findings by score or by rule, the incidents they make, and the reasons an alert gives."""

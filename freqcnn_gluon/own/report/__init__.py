"""report.html, the page of a training, an evaluation or a cross-validation."""

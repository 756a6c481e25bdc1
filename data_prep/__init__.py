"""From corpus folders to spectrogram stores. This package never imports MXNet."""

"""Ground floor: corpus folders in, spectrogram stores out. Imports no MXNet."""

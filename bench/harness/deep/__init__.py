"""Deep networks: the time that infimum and PyTorch take to the same training loss or test accuracy, on the same files."""

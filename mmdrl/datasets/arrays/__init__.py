"""Images that are arrays already: in a file, in CIFAR's pickles, or in scikit-learn."""

"""From a bundle to where it runs: read off its manifest, without the libraries of its model."""

"""Files that consumers upload to our bucket, to be inputs of runs."""

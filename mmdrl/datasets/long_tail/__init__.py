"""Long tails cut out of any data set."""

"""Accuracy of methods on real data: plans of runs, the runs, their records, and the pages made of these."""

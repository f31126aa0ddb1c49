"""Deciding loading problems: infimum beside Z3, SCIP, HiGHS and CP-SAT. See bench/README.md for the method."""

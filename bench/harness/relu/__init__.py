"""Two-layer ReLU networks: infimum beside scnn and PyTorch on the same objective in double precision.

The objective is `Σ loss + (β/2)(‖W‖² + ‖a‖²)` over the rows of `$INFIMUM_DATA/instances/relu`, whose last column is the constant 1;
no other bias. Peers return weights; their objective is evaluated here.
"""

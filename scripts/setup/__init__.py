"""Makes the environment: packages, Horovod, pdehvd. Runs before they exist."""

"""One stage of one night as a job: what `jobs/<stage>.py` is in a checkout, for an installed package."""

"""The later generation: resources, one envelope, statuses that mean something (contract: appendix_generation_2)."""

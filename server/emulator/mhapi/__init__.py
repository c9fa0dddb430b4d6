"""MHAPI, the open image API: strict by its contract, and by the contract's advice where that is silent."""

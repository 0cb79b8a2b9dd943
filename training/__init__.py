"""The learning: corrections to dataset, dataset to adapter, adapter through the gate."""

"""What tests of several folders use: processes, workers, configs, objectives."""

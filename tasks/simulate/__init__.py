"""A simulated multi-centre cohort with known truth, written as real DICOM and clinical files."""

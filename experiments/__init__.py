"""The paper's questions, one file each: settings in, one tidy table out."""

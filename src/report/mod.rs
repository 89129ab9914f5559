//! report.json, the text table, trajectory.npz: pure functions to bytes. (stub)

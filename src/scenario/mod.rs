//! The only reader of TOML. (stub)

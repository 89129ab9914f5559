//! The claims of the report, checked one by one. (stub)

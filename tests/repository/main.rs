//! What lies in the repository and is not code: pages, examples, scenarios that run and scenarios that must be refused.

mod bad_scenarios;
mod examples;
mod pages;
mod report;
mod scenarios;

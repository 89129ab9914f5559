//! All cases, group by group, in the order of the page.

use super::program::Case;
use super::{cells, degenerate, keys, scales};

pub fn cases() -> Vec<Case> {
    let mut cases = keys::cases();
    cases.extend(cells::cases());
    cases.extend(scales::cases());
    cases.extend(degenerate::cases());
    cases
}

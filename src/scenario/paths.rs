//! Absolute paths for the copy of a scenario that is kept with its output.

use super::rule::with_feedback;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Value};

/// Every key that holds a path or a list of paths.
fn path_keys() -> Vec<Vec<&'static str>> {
    let mut keys = vec![
        vec!["dataset", "files", "samples"],
        vec!["dataset", "files", "labels"],
        vec!["dataset", "table", "path"],
        vec!["initial", "files"],
    ];
    keys.extend(with_feedback().map(|rule| vec!["rule", rule, "feedback", "files"]));
    keys
}

/// Rewrites each path, read from `folder`, as absolute. A path that is not valid UTF-8 is left unchanged.
pub(super) fn make_absolute(document: &mut DocumentMut, folder: &Path) {
    for keys in path_keys() {
        let mut item: Option<&mut Item> = Some(document.as_item_mut());
        for key in keys {
            item = item.and_then(|item| item.as_table_like_mut()?.get_mut(key));
        }
        match item.and_then(|item| item.as_value_mut()) {
            Some(Value::Array(paths)) => paths.iter_mut().for_each(|path| absolute(path, folder)),
            Some(path) => absolute(path, folder),
            None => {}
        }
    }
}

fn absolute(value: &mut Value, folder: &Path) {
    let Some(path) = value.as_str() else {
        return;
    };
    let path = folder.join(path);
    // A file that does not exist yet has no canonical path.
    let path = path.canonicalize().or_else(|_| std::path::absolute(&path));
    if let Some(path) = path.ok().as_deref().and_then(Path::to_str) {
        let decor = value.decor().clone();
        *value = Value::from(path);
        *value.decor_mut() = decor;
    }
}

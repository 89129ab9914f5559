//! From what is written in `vary` and `variants` to the values of axes.

use super::keys::{Range, Values};
use super::{Axis, AxisValue, MOST_CASES, VARIANT};
use crate::error::Result;
use crate::scenario::source::Source;
use std::collections::BTreeMap;
use std::ops;
use toml::{Spanned, Value};
use toml_edit::Key;

/// The axis of a key.
pub(super) fn axis(
    source: &Source,
    key: &str,
    given: &Spanned<Values>,
    group: usize,
) -> Result<Axis> {
    check_key(source, key, given.span())?;
    let list: Vec<(Value, ops::Range<usize>)> = match given.get_ref() {
        Values::List(items) => (items.iter())
            .map(|item| (item.get_ref().clone(), item.span()))
            .collect(),
        Values::Range(range) => (numbers_of(source, range, given.span())?.into_iter())
            .map(|value| (value, given.span()))
            .collect(),
    };
    if list.is_empty() {
        let problem = format!("no value of `{key}` is given");
        return Err(source.error(given.span(), &problem, "give one at least"));
    }
    let mut values: Vec<AxisValue> = Vec::with_capacity(list.len());
    let single = |value: &Value| only_key(value).map(str::to_owned);
    let names: Vec<Option<String>> = list.iter().map(|(value, _)| single(value)).collect();
    for (at, (value, span)) in list.iter().enumerate() {
        if let Some(before) = list[..at].iter().position(|(other, _)| other == value) {
            let problem = format!(
                "value number {} of `{key}` is the same as number {}",
                at + 1,
                before + 1
            );
            return Err(source.error(span.clone(), &problem, "give each once"));
        }
        // a choice is called by the name of the alternative, if that tells it from all others
        let name = names[at].as_ref().filter(|name| {
            let plain = |(other, _): &(Value, _)| other.as_str() == Some(name.as_str());
            names.iter().flatten().filter(|other| other == name).count() == 1
                && !list.iter().any(plain)
        });
        values.push(AxisValue {
            label: name.cloned().unwrap_or_else(|| label(value)),
            number: number(value),
            assignments: vec![format!("{key}={value}")],
            span: span.clone(),
        });
    }
    Ok(Axis {
        name: key.to_owned(),
        values,
        group,
    })
}

/// The axis of named variants, in the order in which they are written.
pub(super) fn variants(
    source: &Source,
    given: &BTreeMap<String, Spanned<BTreeMap<String, Value>>>,
    group: usize,
) -> Result<Axis> {
    let mut named: Vec<_> = given.iter().collect();
    named.sort_by_key(|(_, settings)| settings.span().start);
    let mut values = Vec::with_capacity(named.len());
    for (at, (name, settings)) in named.iter().enumerate() {
        for key in settings.get_ref().keys() {
            check_key(source, key, settings.span())?;
        }
        if let Some((other, _)) =
            (named[..at].iter()).find(|(_, o)| o.get_ref() == settings.get_ref())
        {
            let problem = format!("the variant `{name}` sets the same as `{other}`");
            return Err(source.error(settings.span(), &problem, "give each once"));
        }
        let assignments = settings.get_ref().iter();
        values.push(AxisValue {
            label: (*name).clone(),
            number: None,
            assignments: assignments
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
            span: settings.span(),
        });
    }
    Ok(Axis {
        name: VARIANT.into(),
        values,
        group,
    })
}

/// Refuses what is no dotted key, and a key of the study itself.
pub(super) fn check_key(source: &Source, key: &str, span: ops::Range<usize>) -> Result<()> {
    let problem = match Key::parse(key) {
        Err(_) => format!("`{key}` is not a dotted key"),
        Ok(names) if names.first().is_some_and(|name| name.get() == "study") => {
            "a study cannot vary itself".to_owned()
        }
        Ok(_) => return Ok(()),
    };
    let advice = "give a key of the scenario, e.g. \"network.fully-connected-linear.depth\"";
    Err(source.error(span, &problem, advice))
}

/// The numbers of a range: whole ones where both ends are.
pub(super) fn numbers_of(
    source: &Source,
    range: &Range,
    span: ops::Range<usize>,
) -> Result<Vec<Value>> {
    let count = range.count.get();
    let refused = |problem: &str, advice: &str| Err(source.error(span.clone(), problem, advice));
    if count > MOST_CASES {
        return refused("this range has too many values", "take fewer");
    }
    let end = |value: &Value| match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(x) if x.is_finite() => Some(*x),
        _ => None,
    };
    let (Some(from), Some(to)) = (end(&range.from), end(&range.to)) else {
        return refused("the ends of a range are finite numbers", "");
    };
    if from == to {
        return refused("the ends of this range are the same", "");
    }
    if range.log && (from <= 0.0 || to <= 0.0) {
        return refused("the ends of a range with log = true are not positive", "");
    }
    let last = (count - 1) as f64;
    let at = |k: usize| {
        let share = k as f64 / last;
        match k {
            0 => from,
            k if k == count - 1 => to,
            _ if range.log => (from.ln() + share * (to.ln() - from.ln())).exp(),
            _ => from + share * (to - from),
        }
    };
    let whole = matches!(
        (&range.from, &range.to),
        (Value::Integer(_), Value::Integer(_))
    );
    let numbers: Vec<f64> = (0..count).map(at).collect();
    if !whole {
        return Ok(numbers
            .into_iter()
            .map(|x| Value::Float(significant(x)))
            .collect());
    }
    let rounded: Vec<i64> = numbers.iter().map(|x| x.round() as i64).collect();
    let exact = (rounded.iter().zip(&numbers)).all(|(n, x)| (*n as f64 - x).abs() < 1e-9);
    if !(range.log || exact) {
        let advice = "its ends are whole numbers: take a count that divides their distance, or write them as 1.0";
        return refused("the values of this range are not all whole", advice);
    }
    if rounded.windows(2).any(|pair| pair[0] == pair[1]) {
        return refused(
            "some values of this range are the same, once rounded",
            "take fewer",
        );
    }
    Ok(rounded.into_iter().map(Value::Integer).collect())
}

/// With twelve digits, so that 1e-7 of a range is written so.
fn significant(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

/// The name of the alternative that a table with one key chooses.
fn only_key(value: &Value) -> Option<&str> {
    let table = value.as_table()?;
    let mut keys = table.keys();
    let first = keys.next()?;
    keys.next().is_none().then_some(first.as_str())
}

/// A value in tables and legends: text without quotes, a list of one number like the number.
fn label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(x) => crate::scenario::numbers::shown(*x),
        Value::Array(items) if items.len() == 1 && number(value).is_some() => label(&items[0]),
        other => other.to_string(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        Value::Array(items) => match &items[..] {
            [only] => number(only),
            _ => None,
        },
        _ => None,
    }
}

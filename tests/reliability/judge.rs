//! What an outcome must look like, whatever it is.

use super::program::{Case, Ended, Truth};
use serde_json::Value;

type Judgement = Result<(), String>;

fn must(holds: bool, why: impl Into<String>) -> Judgement {
    if holds { Ok(()) } else { Err(why.into()) }
}

/// The largest drift of what a completed run conserves.
const DRIFT: f64 = 1e-3;

/// No panic, no hang, an exit code of the contract that fits the status.
pub fn ends_well(_: &Case, ended: &Ended) -> Judgement {
    must(!ended.stderr.contains("panicked"), "panicked")?;
    let code = ended.code.ok_or("did not come back")?;
    must(
        [0, 1, 2, 3, 4, 5, 65, 74].contains(&code),
        format!("exit code {code}"),
    )?;
    let expected: &[i32] = match ended.status() {
        "" => &[0, 2, 3, 4, 65, 74],
        "completed" => &[0, 1],
        "budget-steps" | "budget-wall" => &[5],
        "inaccurate" | "step-too-small" | "nonlinear-failure" | "non-finite" => &[4],
        status => return Err(format!("an unknown status, {status}")),
    };
    must(
        expected.contains(&code),
        format!("exit code {code} of {}", ended.status()),
    )
}

/// Whatever is refused is refused in a sentence that people can read.
pub fn refuses_by_name(_: &Case, ended: &Ended) -> Judgement {
    if ended.report.is_some() || ended.code == Some(0) {
        return Ok(());
    }
    let message = &ended.stderr;
    must(message.starts_with("error: "), "no error is given")?;
    must(message.len() > 30, "the error is too short to say anything")?;
    let digits = message.split(|c: char| !c.is_ascii_digit());
    let longest = digits.map(str::len).max().unwrap_or(0);
    must(longest < 30, "a number is written out in all its digits")?;
    let located = message.contains("case.toml") || message.contains(".csv");
    let about_the_data = ["separable", "certified", "initial weights", "log-log-time"];
    let named = about_the_data.iter().any(|word| message.contains(word));
    must(located || named, "it does not say where")
}

/// Runs that end early say when, how and what to try.
pub fn names_its_end(_: &Case, ended: &Ended) -> Judgement {
    let Some(report) = &ended.report else {
        return Ok(());
    };
    if ended.status() == "completed" {
        return Ok(());
    }
    let message = report["message"].as_str().ok_or("no message")?;
    for word in ["log-log-time", "step", "method"] {
        must(message.contains(word), format!("no {word} in: {message}"))?;
    }
    let advice = ["raise ", "try ", "use ", "tighten", "smaller", "lower "];
    must(
        advice.iter().any(|word| message.contains(word)),
        format!("no advice in: {message}"),
    )
}

/// Nulls of a completed report: what a run does not have.
const ABSENT: [&str; 26] = [
    "/message",
    "/kinks",
    "/rate",
    "/rate/predicted",
    "/order",
    "/verification",
    "/final/angle_to_limit",
    "/final/kkt_residual",
    "/final/duality_gap",
    "/final/accumulated_duality_gap",
    "/final/sandwich",
    "/final/sandwich/constant",
    "/final/effective_entries",
    "/final/effective_rank",
    "/final/singular_values",
    "/network/activation",
    "/claims/*/proved",
    "/final/output_layer",
    "/final/homogeneous",
    "/limit/beta",
    "/limit/duality_gap",
    "/limit/effective_entries",
    "/claims/*/residual",
    "/claims/*/tolerance",
    "/steps/*/message",
    "/steps/*/angle_to_flow",
];

/// A number that is not finite would be written as null.
pub fn is_finite_if_completed(_: &Case, ended: &Ended) -> Judgement {
    if ended.status() != "completed" {
        return Ok(());
    }
    let report = ended.report.as_ref().ok_or("no report")?;
    must(
        ended.not_finite.is_empty(),
        format!("not finite: {:?}", ended.not_finite),
    )?;
    let mut nulls = Vec::new();
    collect_nulls(report, "", &mut nulls);
    let allowed = |path: &String| {
        ABSENT.contains(&path.as_str())
            || path.starts_with("/final/homogeneous/")
            || path.starts_with("/final/output_layer/")
            || path.starts_with("/certified/")
            || path.starts_with("/figures/")
            || path.starts_with("/steps/*/relative_distance")
            || path.starts_with("/steps/*/max_relative_distance")
            || path.starts_with("/steps/*/angle_to_limit")
    };
    nulls.retain(|path| !allowed(path));
    must(nulls.is_empty(), format!("null: {nulls:?}"))
}

fn collect_nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Array(entries) => {
            (entries.iter()).for_each(|entry| collect_nulls(entry, &format!("{path}/*"), found));
        }
        Value::Object(entries) => (entries.iter())
            .for_each(|(key, entry)| collect_nulls(entry, &format!("{path}/{key}"), found)),
        _ => {}
    }
}

/// What is known of the answer, and what every answer must satisfy: a direction that is certified has no negative gap,
/// and a limit that is reported separates.
pub fn is_right(case: &Case, ended: &Ended) -> Judgement {
    let null = Value::Null;
    let report = ended.report.as_ref().unwrap_or(&null);
    let called_inseparable = ended.stderr.contains("the data are not separable");
    for gap in ["/final/duality_gap", "/limit/duality_gap"] {
        let gap = report.pointer(gap).and_then(Value::as_f64).unwrap_or(0.0);
        must(gap >= 0.0, format!("a negative duality gap, {gap}"))?;
    }
    // a hyperplane separates these, so that a linear network on them never stops
    let known_separable = matches!(case.truth, Truth::Separable | Truth::Direction(..));
    let rests =
        (report["message"].as_str()).is_some_and(|message| message.contains("came to rest"));
    if known_separable && !case.scenario.contains("[network.relu]") {
        must(!rests, "weights that have hardly moved are said to rest")?;
    }
    let sound = ended.status() == "completed";
    must(
        !sound || ended.drift() <= DRIFT,
        format!("completed, with a drift of {:.1e}", ended.drift()),
    )?;
    match &case.truth {
        Truth::Unknown => Ok(()),
        Truth::Refused(why) => {
            must(
                ended.code == Some(65),
                format!("exit code {:?}, not refused", ended.code),
            )?;
            must(ended.stderr.contains(why), format!("it should say: {why}"))
        }
        Truth::Separable => must(
            !called_inseparable,
            "separable data are called not separable",
        ),
        Truth::NotSeparable => must(
            called_inseparable || (report["limit"]["kind"] == "none" && ended.code != Some(65)),
            "data that nothing separates are given a limit",
        ),
        Truth::Completes => must(ended.status() == "completed", ended.status()),
        Truth::Direction(direction, closest) => {
            must(
                !called_inseparable,
                "separable data are called not separable",
            )?;
            let limit = numbers(&report["limit"]["beta"]);
            must(!sound || limit.is_some(), "completed, without a limit")?;
            if let Some(limit) = limit {
                let off = angle(&limit, direction);
                must(off < 1e-7, format!("the limit is {off:e} rad off"))?;
            }
            if let Some(beta) = numbers(&report["final"]["beta"]).filter(|_| sound) {
                let off = angle(&beta, direction);
                must(off < *closest, format!("the run ends {off:e} rad off"))?;
            }
            Ok(())
        }
    }
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(Value::as_f64).collect()
}

/// Radians, with all digits at small angles.
fn angle(x: &[f64], y: &[f64]) -> f64 {
    let norm = |x: &[f64]| {
        let largest = x.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        largest * x.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
    };
    let (a, b) = (norm(x), norm(y));
    let distance = |sign: f64| {
        let d = x.iter().zip(y).map(|(x, y)| (x / a - sign * y / b).powi(2));
        d.sum::<f64>().sqrt()
    };
    2.0 * distance(1.0).atan2(distance(-1.0))
}

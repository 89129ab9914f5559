//! The figures of a report, put together again from the two files.

use super::archive::Run;
use marginflow::figures::{Axis, Figure, GREY, Labels, Panel, Scale, Series, Style, Window};
use serde_json::Value;

/// The figures of a report, with the arrays that they name.
pub(super) fn redrawn(run: &Run) -> Vec<Figure> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let axis = |v: &Value| Axis {
        label: text(&v["label"]),
        scale: match v["scale"].as_str().unwrap() {
            "linear" => Scale::Linear,
            "whole" => Scale::Whole,
            "log10" => Scale::Log10,
            other => panic!("{other}"),
        },
        range: range(&v["range"]),
        labels: match v["label"].as_str().unwrap() {
            name if name.ends_with("(degrees)") => Labels::Degrees,
            _ => Labels::Round,
        },
    };
    let numbers = |v: &Value| -> Vec<f64> {
        let of = v.as_array().unwrap().iter();
        of.map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let series = |v: &Value| {
        let x = match &v["x"] {
            Value::String(name) => run.floats(name).to_vec(),
            listed => numbers(listed),
        };
        let y = numbers(&v["y"]);
        assert_eq!(x.len(), y.len());
        Series {
            label: v["label"].as_str().map(str::to_owned),
            points: x.into_iter().zip(y).collect(),
            style: match v["style"].as_str().unwrap() {
                "line" => Style::Line,
                "dashed" => Style::Dashed,
                "points" => Style::Points,
                "band" => Style::Band,
                "reference" => Style::Reference,
                other => panic!("{other}"),
            },
            colour: v["colour"].as_u64().map_or(GREY, |c| c as usize),
            opacity: v["opacity"].as_f64().unwrap(),
        }
    };
    let panel = |v: &Value| Panel {
        title: text(&v["title"]),
        x: axis(&v["x"]),
        y: axis(&v["y"]),
        window: range(&v["window"]["range"]).map(|range| Window {
            label: text(&v["window"]["label"]),
            range,
        }),
        equal_units: v["equal_units"].as_bool().unwrap(),
        series: v["series"].as_array().unwrap().iter().map(series).collect(),
    };
    let figures = run.report["figures"].as_array().unwrap().iter();
    figures
        .map(|v| Figure {
            id: text(&v["id"]),
            title: text(&v["title"]),
            subtitle: text(&v["subtitle"]),
            caption: text(&v["caption"]),
            panels: v["panels"].as_array().unwrap().iter().map(panel).collect(),
        })
        .map(|figure| labelled(figure, run))
        .collect()
}

/// Where the axes of two figures are labelled: at the sizes of steps, and at the start.
fn labelled(mut figure: Figure, run: &Run) -> Figure {
    for panel in &mut figure.panels {
        let points = panel.series.iter().flat_map(|s| &s.points);
        panel.x.labels = match figure.id.as_str() {
            "step-sizes" => Labels::At(points.map(|p| p.0).collect()),
            "neurons" => {
                let times = run.floats("log_time");
                let first = times.iter().copied().find(|t| *t > 0.0).unwrap();
                let part = first / times[times.len() - 1];
                Labels::AndZero(first * part.powf(0.09))
            }
            _ => continue,
        };
    }
    figure
}

fn range(v: &Value) -> Option<(f64, f64)> {
    Some((v[0].as_f64()?, v[1].as_f64()?))
}

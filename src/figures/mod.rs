//! Figures as plain data (panels), and the one renderer. (stub)

/// How an axis is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log10,
}

/// One axis: label with symbol and unit, scale, optional fixed range (else from the data).
#[derive(Debug, Clone)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub range: Option<(f64, f64)>,
}

/// How a series is drawn. `Reference` is a thin dashed grey guide (predicted slope, closed form).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Line,
    Dashed,
    Points,
    Reference,
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Series {
    /// Legend entry; `None` draws the curve without one (bundles of many samples).
    pub label: Option<String>,
    pub points: Vec<(f64, f64)>,
    pub style: Style,
    /// Index into the palette; curves of one family share a colour.
    pub colour: usize,
    /// 0 (invisible) … 1.
    pub opacity: f64,
}

/// One coordinate system. On `Log10` axes the coordinates are values, not logarithms; non-positive points are dropped.
/// For abscissae beyond f64 range, use a `Linear` axis of log10 values and `tick_powers_of_ten = true`, which labels
/// the tick v as 10^v.
#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// A figure: panels side by side, with the caption that says what to see.
#[derive(Debug, Clone)]
pub struct Figure {
    /// File stem, e.g. "angle-to-limit".
    pub id: String,
    pub title: String,
    pub caption: String,
    pub panels: Vec<Panel>,
}

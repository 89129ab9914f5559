//! From values to visible curves: mapping to the plot area, clipping, thinning.

use super::Scale;

/// A point of the sheet, in px, y downwards.
pub(crate) type Point = (f64, f64);

/// An affine map from one axis's values to px.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping {
    pub scale: Scale,
    /// Axis coordinates (logarithms on a log axis) at the two ends, `low < high`.
    pub low: f64,
    pub high: f64,
    /// Where `low` and `high` lie, in px.
    pub from: f64,
    pub to: f64,
}

/// Axis coordinate of a value; `None` where the axis cannot show it.
pub(crate) fn coordinate(scale: Scale, value: f64) -> Option<f64> {
    // Beyond 1e300 the length of an axis would overflow.
    let value = value.is_finite().then_some(value.clamp(-1e300, 1e300))?;
    match scale {
        Scale::Linear | Scale::Whole => Some(value),
        Scale::Log10 => (value > 0.0).then(|| value.log10()),
    }
}

impl Mapping {
    /// Px of an axis coordinate.
    pub(crate) fn place(&self, coordinate: f64) -> f64 {
        self.from + (coordinate - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Px of a value; `None` where the axis cannot show it.
    pub(crate) fn px(&self, value: f64) -> Option<f64> {
        coordinate(self.scale, value).map(|c| self.place(c))
    }
}

/// A rectangle in px, `x0 ≤ x1`, `y0 ≤ y1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub x0: f64,
    pub y0: f64,
    pub x1: f64,
    pub y1: f64,
}

impl Rect {
    pub(crate) fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    pub(crate) fn height(&self) -> f64 {
        self.y1 - self.y0
    }

    pub(crate) fn contains(&self, (x, y): Point) -> bool {
        (self.x0..=self.x1).contains(&x) && (self.y0..=self.y1).contains(&y)
    }

    pub(crate) fn grown(&self, by: f64) -> Self {
        Self {
            x0: self.x0 - by,
            y0: self.y0 - by,
            x1: self.x1 + by,
            y1: self.y1 + by,
        }
    }

    /// The part of segment `a`–`b` inside (Liang–Barsky).
    pub(crate) fn clip(&self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        for (p, q) in [
            (-dx, a.0 - self.x0),
            (dx, self.x1 - a.0),
            (-dy, a.1 - self.y0),
            (dy, self.y1 - a.1),
        ] {
            if p == 0.0 {
                if q < 0.0 {
                    return None;
                }
            } else if p < 0.0 {
                enter = enter.max(q / p);
            } else {
                leave = leave.min(q / p);
            }
        }
        let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
        (enter <= leave).then(|| {
            (
                if enter == 0.0 { a } else { at(enter) },
                if leave == 1.0 { b } else { at(leave) },
            )
        })
    }
}

/// The visible pieces of a curve, in px: broken at points an axis cannot show, clipped to `plot`, thinned. A piece of
/// one point has no neighbour to be joined to.
pub(crate) fn pieces(
    points: &[(f64, f64)],
    x: &Mapping,
    y: &Mapping,
    plot: Rect,
) -> Vec<Vec<Point>> {
    let mut done = Vec::new();
    let mut run: Vec<Point> = Vec::new();
    let place = |&(vx, vy): &(f64, f64)| Some((x.px(vx)?, y.px(vy)?));
    for point in points.iter().map(place).chain([None]) {
        match point {
            Some(p) => run.push(p),
            None => clip_run(&std::mem::take(&mut run), plot, &mut done),
        }
    }
    done.iter().map(|piece| thinned(piece)).collect()
}

fn clip_run(run: &[Point], plot: Rect, done: &mut Vec<Vec<Point>>) {
    if let [only] = run {
        if plot.contains(*only) {
            done.push(vec![*only]);
        }
        return;
    }
    let mut piece: Vec<Point> = Vec::new();
    for pair in run.windows(2) {
        match plot.clip(pair[0], pair[1]) {
            Some((a, b)) => {
                if piece.last() != Some(&a) {
                    done.extend((piece.len() > 1).then(|| std::mem::take(&mut piece)));
                    piece = vec![a];
                }
                piece.push(b);
            }
            None => done.extend((piece.len() > 1).then(|| std::mem::take(&mut piece))),
        }
    }
    done.extend((piece.len() > 1).then_some(piece));
}

/// How far a thinned curve may deviate from the full one, in px: less than the eye or a printer resolves.
const STRAY: f64 = 0.12;
/// Most vertices of one curve.
const MOST: usize = 2000;

/// Fewer vertices for the same picture (Ramer–Douglas–Peucker; evenly thinned if that leaves too many).
pub(crate) fn thinned(piece: &[Point]) -> Vec<Point> {
    let mut kept = vec![false; piece.len()];
    let mut stack = vec![(0, piece.len().saturating_sub(1))];
    for &end in &[0, piece.len().saturating_sub(1)] {
        if let Some(k) = kept.get_mut(end) {
            *k = true;
        }
    }
    while let Some((a, b)) = stack.pop() {
        let farthest = (a + 1..b)
            .map(|k| (k, distance_to_segment(piece[k], piece[a], piece[b])))
            .fold(
                (a, STRAY),
                |best, next| if next.1 > best.1 { next } else { best },
            );
        if farthest.0 != a {
            kept[farthest.0] = true;
            stack.extend([(a, farthest.0), (farthest.0, b)]);
        }
    }
    let points: Vec<Point> = piece
        .iter()
        .zip(&kept)
        .filter(|(_, k)| **k)
        .map(|(p, _)| *p)
        .collect();
    spread(&points, MOST)
}

/// At most `most` of the items, evenly spread, including the ends.
pub(crate) fn spread<T: Clone>(items: &[T], most: usize) -> Vec<T> {
    if items.len() <= most || most < 2 {
        return items.to_vec();
    }
    (0..most)
        .map(|k| items[k * (items.len() - 1) / (most - 1)].clone())
        .collect()
}

fn distance_to_segment(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let t = if square == 0.0 {
        0.0
    } else {
        (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / square).clamp(0.0, 1.0)
    };
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Rect = Rect {
        x0: 0.0,
        y0: 0.0,
        x1: 100.0,
        y1: 100.0,
    };

    fn identity(scale: Scale) -> Mapping {
        Mapping {
            scale,
            low: 0.0,
            high: 128.0,
            from: 0.0,
            to: 128.0,
        }
    }

    #[test]
    fn a_log_axis_puts_powers_of_ten_at_even_distances() {
        let axis = Mapping {
            scale: Scale::Log10,
            low: -300.0,
            high: 140.0,
            from: 0.0,
            to: 440.0,
        };
        assert_eq!(axis.px(1e-300), Some(0.0));
        assert_eq!(axis.px(1.0), Some(300.0));
        assert!((axis.px(1e140).unwrap() - 440.0).abs() < 1e-9);
        assert_eq!(axis.px(0.0), None);
        assert_eq!(axis.px(f64::INFINITY), None);
    }

    #[test]
    fn unshowable_points_break_the_line() {
        let x = identity(Scale::Linear);
        let found = pieces(
            &[
                (1.0, 5.0),
                (2.0, 9.0),
                (3.0, f64::NAN),
                (4.0, 5.0),
                (5.0, 8.0),
                (6.0, f64::INFINITY),
                (7.0, 1.0),
            ],
            &x,
            &x,
            PLOT,
        );
        assert_eq!(
            found,
            [
                vec![(1.0, 5.0), (2.0, 9.0)],
                vec![(4.0, 5.0), (5.0, 8.0)],
                vec![(7.0, 1.0)]
            ]
        );
    }

    #[test]
    fn a_curve_that_leaves_and_returns_is_cut_at_the_edge() {
        let x = identity(Scale::Linear);
        let found = pieces(
            &[(10.0, 50.0), (20.0, 150.0), (30.0, 150.0), (40.0, 50.0)],
            &x,
            &x,
            PLOT,
        );
        assert_eq!(
            found,
            [
                vec![(10.0, 50.0), (15.0, 100.0)],
                vec![(35.0, 100.0), (40.0, 50.0)]
            ]
        );
        // Both ends outside, the middle inside.
        assert_eq!(
            PLOT.clip((-50.0, 50.0), (150.0, 50.0)),
            Some(((0.0, 50.0), (100.0, 50.0)))
        );
        assert_eq!(PLOT.clip((-50.0, 150.0), (150.0, 150.0)), None);
    }

    #[test]
    fn thinning_keeps_corners_and_stays_close() {
        let line: Vec<Point> = (0..=5000).map(|k| (k as f64 * 0.02, 50.0)).collect();
        assert_eq!(thinned(&line), [(0.0, 50.0), (100.0, 50.0)]);
        let wave: Vec<Point> = (0..=20_000)
            .map(|k| (k as f64 * 0.005, 50.0 + 40.0 * (k as f64 * 0.001).sin()))
            .collect();
        let few = thinned(&wave);
        assert!(few.len() < 200, "{}", few.len());
        for p in &wave {
            let near = few
                .windows(2)
                .map(|s| distance_to_segment(*p, s[0], s[1]))
                .fold(f64::INFINITY, f64::min);
            assert!(near <= STRAY + 1e-12);
        }
        let noise: Vec<Point> = (0..30_000)
            .map(|k| (k as f64 * 0.003, (k * 7919 % 101) as f64))
            .collect();
        assert!(thinned(&noise).len() <= MOST);
    }
}

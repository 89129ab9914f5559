//! Data in the shape of well-known public sets, drawn with fixed seeds: sizes, class counts and formats are theirs, the
//! numbers are not.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// How the classes lie.
#[derive(Clone, Copy, PartialEq)]
enum Classes {
    /// On two sides of a plane, with room between.
    Apart,
    /// Anywhere.
    Mixed,
}

/// Rows of numbers, and the class of each row.
struct Drawn {
    rows: Vec<Vec<f64>>,
    class: Vec<usize>,
    random: Pcg64,
}

/// As many rows of each class as `counts` says, in no order; the first `classes` of them apart from the others or not.
fn draw(seed: u64, dimension: usize, counts: &[usize], classes: Classes) -> Drawn {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut class: Vec<usize> = (counts.iter().enumerate())
        .flat_map(|(class, count)| vec![class; *count])
        .collect();
    for k in (1..class.len()).rev() {
        class.swap(k, random.random_range(0..=k));
    }
    let direction: Vec<f64> = (0..dimension)
        .map(|_| random.sample(StandardNormal))
        .collect();
    let norm = direction.iter().map(|x| x * x).sum::<f64>();
    let rows = class.iter().map(|class| {
        let mut row: Vec<f64> = (0..dimension)
            .map(|_| random.sample(StandardNormal))
            .collect();
        if classes == Classes::Apart {
            let side = if *class == 0 { 1.0 } else { -1.0 };
            let along: f64 = row.iter().zip(&direction).map(|(x, w)| x * w).sum::<f64>() / norm;
            let wanted = side * (1.0 + along.abs());
            row.iter_mut()
                .zip(&direction)
                .for_each(|(x, w)| *x += (wanted - along) * w);
        }
        row
    });
    let rows = rows.collect();
    Drawn {
        rows,
        class,
        random,
    }
}

impl Drawn {
    /// Lines of fields: numbers of `digits` decimals, then the name of the class.
    fn lines(&self, digits: usize, separator: &str, names: &[&str]) -> Vec<String> {
        self.rows
            .iter()
            .zip(&self.class)
            .map(|(row, class)| {
                let mut fields: Vec<String> = row.iter().map(|x| format!("{x:.digits$}")).collect();
                fields.push(names[*class].to_owned());
                fields.join(separator)
            })
            .collect()
    }
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// 208 × 60, 111 mines and 97 rocks, no header.
pub fn sonar() -> String {
    // the classes stand one after the other, rocks first
    let mut lines = draw(1, 60, &[97, 111], Classes::Apart).lines(4, ",", &["R", "M"]);
    lines.sort_by_key(|line| line.ends_with('M'));
    text(&lines)
}

/// 351 × 34, 225 good and 126 bad; the second feature is always 0; no header.
pub fn ionosphere() -> String {
    let mut drawn = draw(2, 34, &[225, 126], Classes::Mixed);
    drawn.rows.iter_mut().for_each(|row| row[1] = 0.0);
    text(&drawn.lines(5, ",", &["g", "b"]))
}

/// 178 × 13, the class 1, 2, 3 in front, no header.
pub fn wine() -> String {
    let drawn = draw(3, 13, &[59, 71, 48], Classes::Apart);
    let lines = drawn
        .lines(2, ",", &["1", "2", "3"])
        .into_iter()
        .map(|line| {
            let (features, class) = line.rsplit_once(',').unwrap();
            format!("{class},{features}")
        });
    text(&lines.collect::<Vec<_>>())
}

/// 699 × 9 from 1 to 10, ids in front, `?` sixteen times in the seventh column, classes 2 and 4, no header.
pub fn breast_cancer() -> String {
    let mut drawn = draw(4, 9, &[458, 241], Classes::Mixed);
    let lines: Vec<String> = (0..drawn.rows.len())
        .map(|n| {
            let mut fields =
                vec![(1_000_000 + 977 * drawn.random.random_range(0..400_000)).to_string()];
            fields.extend((0..9).map(|k| match (n % 43, k) {
                (40, 5) => "?".to_owned(),
                _ => drawn.random.random_range(1..=10).to_string(),
            }));
            fields.push(["2", "4"][drawn.class[n]].to_owned());
            fields.join(",")
        })
        .collect();
    text(&lines)
}

/// 569 × 30, ids in front, then M or B; 212 malignant; no header.
pub fn wdbc() -> String {
    let drawn = draw(5, 30, &[212, 357], Classes::Mixed);
    let lines = drawn
        .lines(4, ",", &["M", "B"])
        .into_iter()
        .enumerate()
        .map(|(n, line)| {
            let (features, class) = line.rsplit_once(',').unwrap();
            format!("{},{class},{features}", 842_302 + 7919 * ((n * 311) % 569))
        });
    text(&lines.collect::<Vec<_>>())
}

/// 150 × 4, three classes of 50, no header, a blank line at the end.
pub fn iris() -> String {
    let names = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"];
    text(&draw(6, 4, &[50, 50, 50], Classes::Apart).lines(1, ",", &names)) + "\n"
}

/// 1372 × 4, 762 and 610, classes 0 and 1, no header, lines that end as under Windows.
pub fn banknote() -> String {
    text(&draw(7, 4, &[762, 610], Classes::Apart).lines(4, ",", &["0", "1"])).replace('\n', "\r\n")
}

/// 460 × 57 (a tenth of it), 182 and 278, classes 1 and 0, no header.
pub fn spambase() -> String {
    text(&draw(8, 57, &[182, 278], Classes::Apart).lines(2, ",", &["1", "0"]))
}

/// 306 × 3 whole numbers, 225 and 81, classes 1 and 2, no header.
pub fn haberman() -> String {
    let mut drawn = draw(9, 3, &[225, 81], Classes::Mixed);
    let lines: Vec<String> = (0..306)
        .map(|n| {
            let age = drawn.random.random_range(30..84);
            let nodes = drawn.random.random_range(0..30);
            let class = ["1", "2"][drawn.class[n]];
            format!(
                "{age},{},{nodes},{class}",
                drawn.random.random_range(58..70)
            )
        })
        .collect();
    // the first row as in the original
    text(&lines).replacen(
        &lines[0],
        &format!("30,64,1,{}", &lines[0][lines[0].len() - 1..]),
        1,
    )
}

/// The label of blood transfusion.
pub const DONATED: &str = "whether he/she donated blood in March 2007";

/// 748 × 4, 178 who donated, a header with spaces, points and quotes.
pub fn transfusion() -> String {
    let header = format!(
        "Recency (months),Frequency (times),Monetary (c.c. blood),Time (months),\"{DONATED}\""
    );
    let mut lines = draw(10, 4, &[178, 570], Classes::Mixed).lines(0, ",", &["1", "0"]);
    lines.insert(0, header);
    text(&lines)
}

/// 768 × 8, 268 with diabetes, as pandas writes it: a header, and the index in a column without a name.
pub fn pima() -> String {
    let drawn = draw(11, 8, &[268, 500], Classes::Mixed);
    let mut lines: Vec<String> = (drawn.lines(1, ",", &["1", "0"]).into_iter().enumerate())
        .map(|(n, line)| format!("{n},{line}"))
        .collect();
    let names = "Pregnancies,Glucose,BloodPressure,SkinThickness,Insulin,BMI,DiabetesPedigreeFunction,Age,Outcome";
    lines.insert(0, format!(",{names}"));
    text(&lines)
}

/// 303 × 13, `?` in two columns, classes 0 (164) to 4, a header.
pub fn heart() -> String {
    let drawn = draw(12, 13, &[164, 55, 36, 35, 13], Classes::Mixed);
    let lines = drawn
        .lines(1, ",", &["0", "1", "2", "3", "4"])
        .into_iter()
        .enumerate();
    let mut lines: Vec<String> = lines
        .map(|(n, line)| {
            let mut fields: Vec<&str> = line.split(',').collect();
            match n % 50 {
                17 => fields[11] = "?",
                41 => fields[12] = "?",
                _ => {}
            }
            fields.join(",")
        })
        .collect();
    let header = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num";
    lines.insert(0, header.to_owned());
    text(&lines)
}

/// 203 × 22 letters (a fortieth of it), edible or poisonous in front, no header.
pub fn mushroom() -> String {
    let mut random = Pcg64::seed_from_u64(13);
    let lines: Vec<String> = (0..203)
        .map(|n| {
            let mut fields = vec![["p", "e"][n % 2].to_owned()];
            fields
                .extend((0..22).map(|_| char::from(b'a' + random.random_range(0..6)).to_string()));
            fields.join(",")
        })
        .collect();
    text(&lines)
}

/// 160 × 11 (a tenth of it), qualities 3 to 8, semicolons, a header in quotes.
pub fn wine_quality() -> String {
    let drawn = draw(14, 11, &[1, 5, 68, 64, 20, 2], Classes::Mixed);
    let mut lines = drawn.lines(3, ";", &["3", "4", "5", "6", "7", "8"]);
    let names = [
        "fixed acidity",
        "volatile acidity",
        "citric acid",
        "residual sugar",
        "chlorides",
        "free sulfur dioxide",
        "total sulfur dioxide",
        "density",
        "pH",
        "sulphates",
        "alcohol",
        "quality",
    ];
    lines.insert(0, names.map(|name| format!("\"{name}\"")).join(";"));
    text(&lines)
}

/// 326 rows of census data (a hundredth of them), 78 above 50K, text and `?` among the fields, spaces behind commas, no
/// header. In the published test data every label ends with a point: `dotted` rows do here.
pub fn adult(dotted: bool) -> String {
    let mut drawn = draw(15, 6, &[78, 248], Classes::Mixed);
    let lines: Vec<String> = (0..326)
        .map(|n| {
            let mut whole = |low: i32, high: i32| drawn.random.random_range(low..high);
            let (age, weight, years) = (whole(17, 90), whole(12_000, 1_484_705), whole(1, 17));
            let (gain, loss, hours) = (whole(0, 9000), whole(0, 4000), whole(1, 99));
            let work = if n % 9 == 4 { "?" } else { "Private" };
            let label = [">50K", "<=50K"][drawn.class[n]];
            let point = if dotted && n > 200 { "." } else { "" };
            format!(
                "{age}, {work}, {weight}, HS-grad, {years}, Divorced, Sales, Husband, White, Male, {gain}, {loss}, \
                 {hours}, United-States, {label}{point}"
            )
        })
        .collect();
    text(&lines)
}

/// 210 × 7, three classes of 70, tabs, some of them doubled as published unless `mended`; no header.
pub fn seeds(mended: bool) -> String {
    let lines = draw(16, 7, &[70, 70, 70], Classes::Apart).lines(3, "\t", &["1", "2", "3"]);
    let lines = lines.into_iter().enumerate().map(|(n, line)| match n % 26 {
        7 if !mended => line.replacen('\t', "\t\t", 1),
        _ => line,
    });
    text(&lines.collect::<Vec<_>>())
}

/// 214 × 9, ids that count from 1, six types, a header.
pub fn glass() -> String {
    let drawn = draw(17, 9, &[70, 76, 17, 13, 9, 29], Classes::Mixed);
    let names = ["1", "2", "3", "5", "6", "7"];
    let mut lines: Vec<String> = (drawn.lines(5, ",", &names).into_iter().enumerate())
        .map(|(n, line)| format!("{},{line}", n + 1))
        .collect();
    lines.insert(0, "Id,RI,Na,Mg,Al,Si,K,Ca,Ba,Fe,Type".to_owned());
    text(&lines)
}

/// 891 passengers, 342 of whom survived: ids, names in quotes with commas, text, blanks, a header.
pub fn titanic() -> String {
    let mut drawn = draw(18, 2, &[342, 549], Classes::Mixed);
    let mut lines = vec![
        "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
            .to_owned(),
    ];
    for n in 0..891 {
        let survived = ["1", "0"][drawn.class[n]];
        let mut whole = |high: i32| drawn.random.random_range(0..high);
        let age = if n % 5 == 3 {
            String::new()
        } else {
            whole(80).to_string()
        };
        let (class, siblings, parents) = (1 + whole(3), whole(4), whole(3));
        let fare = f64::from(whole(5000)) / 10.0;
        lines.push(format!(
            "{},{survived},{class},\"Doe, Mr. {n} (\"\"J.\"\")\",male,{age},{siblings},{parents},A/5 21171,{fare},,S",
            n + 1
        ));
    }
    text(&lines)
}

/// 270 × 13 in the svmlight format, 120 and 150, zeros left out.
pub fn heart_scale() -> String {
    let drawn = draw(19, 13, &[120, 150], Classes::Apart);
    let lines = drawn
        .rows
        .iter()
        .zip(&drawn.class)
        .enumerate()
        .map(|(n, (row, class))| {
            let mut line = ["+1", "-1"][*class].to_owned();
            for (k, x) in row
                .iter()
                .enumerate()
                .filter(|(k, _)| (n + k) % 5 != 0 || *k == 12)
            {
                line += &format!(" {}:{x:.6}", k + 1);
            }
            line + " "
        });
    text(&lines.collect::<Vec<_>>())
}

/// 1000 × 24 numbers between spaces, classes 1 and 2, no header.
pub fn german() -> String {
    let lines = draw(20, 24, &[700, 300], Classes::Mixed).lines(0, "   ", &["1", "2"]);
    text(
        &lines
            .iter()
            .map(|line| format!("   {line}"))
            .collect::<Vec<_>>(),
    )
}

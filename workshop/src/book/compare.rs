//! What is printed in the book against what appeared: the two are aligned line by line.

use super::wildcards::{Bindings, is_dots, matches, pieces};

/// One step of the alignment of the printed lines (index i) with those that appeared (index j).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aligned {
    /// Printed line i is what appeared in line j.
    Same(usize, usize),
    /// Printed line i did not appear.
    Gone(usize),
    /// Line j appeared and is not printed.
    New(usize),
    /// Line j is covered by the `...` of line i.
    Covered(usize, usize),
    /// The `...` of line i ends here.
    Dots(usize),
}

/// Whether everything that appeared is what is printed, and the alignment that shows it.
pub struct Comparison {
    pub same: bool,
    pub steps: Vec<Aligned>,
}

/// Compares; bindings are made only when all is the same.
pub fn compare(printed: &[String], appeared: &[String], bindings: &mut Bindings) -> Comparison {
    let mut steps = align(printed, appeared);
    let mut bound = bindings.clone();
    for step in &mut steps {
        if let Aligned::Same(i, j) = *step
            && !matches(&pieces(&printed[i]), &appeared[j], Some(&mut bound))
        {
            *step = Aligned::Gone(i);
        }
    }
    let same = steps.iter().all(|step| !matches!(step, Aligned::Gone(_) | Aligned::New(_)));
    if same {
        *bindings = bound;
    } else {
        reinsert(&mut steps, appeared.len());
    }
    Comparison { same, steps }
}

/// Whether printed lines are nothing but wildcards that stand for anything: a check that cannot fail.
pub fn matches_everything(printed: &[String]) -> bool {
    let is_text =
        |line: &String| !is_dots(line) && line.replace("[..]", "").chars().any(|c| !c.is_whitespace());
    !printed.is_empty() && !printed.iter().any(is_text)
}

/// The lines to print instead: those that appeared, and the author's own where they still hold.
pub fn fixed(printed: &[String], appeared: &[String], comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &comparison.steps {
        match *step {
            Aligned::Same(i, _) | Aligned::Dots(i) => lines.push(printed[i].clone()),
            Aligned::New(j) => lines.push(appeared[j].clone()),
            Aligned::Gone(_) | Aligned::Covered(..) => {}
        }
    }
    if matches_everything(&lines) { appeared.to_vec() } else { lines }
}

/// The difference as lines to show, each with its sign.
pub fn difference(printed: &[String], appeared: &[String], comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &comparison.steps {
        match *step {
            Aligned::Same(_, j) => lines.push(format!("  {}", appeared[j])),
            Aligned::Dots(i) => lines.push(format!("  {}", printed[i])),
            Aligned::Gone(i) => lines.push(format!("- {}", printed[i])),
            Aligned::New(j) => lines.push(format!("+ {}", appeared[j])),
            Aligned::Covered(..) => {}
        }
    }
    lines
}

/// The alignment with the most equal lines, and the fewest others.
fn align(printed: &[String], appeared: &[String]) -> Vec<Aligned> {
    let patterns: Vec<_> = printed.iter().map(|line| pieces(line)).collect();
    let (rows, columns) = (printed.len(), appeared.len());
    let mut best = vec![vec![(0_i64, Aligned::New(0)); columns + 1]; rows + 1];
    for i in (0..=rows).rev() {
        for j in (0..=columns).rev() {
            if i == rows && j == columns {
                continue;
            }
            let mut choices = Vec::new();
            if i < rows && is_dots(&printed[i]) {
                choices.push((best[i + 1][j].0, Aligned::Dots(i)));
                if j < columns {
                    choices.push((best[i][j + 1].0, Aligned::Covered(i, j)));
                }
            } else if i < rows {
                if j < columns && matches(&patterns[i], &appeared[j], None) {
                    choices.push((best[i + 1][j + 1].0 + 3, Aligned::Same(i, j)));
                }
                choices.push((best[i + 1][j].0 - 1, Aligned::Gone(i)));
            }
            if j < columns && !(i < rows && is_dots(&printed[i])) {
                choices.push((best[i][j + 1].0 - 1, Aligned::New(j)));
            }
            // Of equal choices the first one counts: equal lines before others, gone lines before new ones.
            let most = choices.iter().map(|(score, _)| *score).max().unwrap_or_default();
            best[i][j] =
                choices.into_iter().find(|(score, _)| *score == most).unwrap_or((0, Aligned::New(j)));
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < rows || j < columns {
        let step = best[i][j].1;
        match step {
            Aligned::Same(..) => (i, j) = (i + 1, j + 1),
            Aligned::Gone(_) | Aligned::Dots(_) => i += 1,
            Aligned::New(_) | Aligned::Covered(..) => j += 1,
        }
        steps.push(step);
    }
    steps
}

/// A line whose binding did not hold was taken out: what appeared in its place is shown as new.
fn reinsert(steps: &mut Vec<Aligned>, lines: usize) {
    let line = |step: &Aligned| match step {
        Aligned::Same(_, j) | Aligned::New(j) | Aligned::Covered(_, j) => Some(*j),
        Aligned::Gone(_) | Aligned::Dots(_) => None,
    };
    for j in 0..lines {
        if !steps.iter().any(|step| line(step) == Some(j)) {
            let before = steps
                .iter()
                .position(|step| line(step).is_some_and(|other| other > j))
                .unwrap_or(steps.len());
            steps.insert(before, Aligned::New(j));
        }
    }
}

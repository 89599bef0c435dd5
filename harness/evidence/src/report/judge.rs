//! What follows from the cells: counts and picture. A report is built with it, and a verifier computes it again.

use std::collections::BTreeMap;

use bulkhead_plan::access::Conclusion;
use bulkhead_plan::matrix::{Column, Field, Layer};

use super::{CellReport, LayerCounts, PictureField, PictureRow};

/// How the cells of each layer that has any ended.
pub fn counts(cells: &[CellReport]) -> Vec<LayerCounts> {
    let mut layers: BTreeMap<Layer, LayerCounts> = BTreeMap::new();
    for cell in cells {
        let nothing = LayerCounts { layer: cell.layer, passed: 0, violated: 0, broken: 0, inconclusive: 0 };
        let counts = layers.entry(cell.layer).or_insert(nothing);
        match cell.conclusion {
            Conclusion::Passed => counts.passed += 1,
            Conclusion::Violated => counts.violated += 1,
            Conclusion::Broken => counts.broken += 1,
            Conclusion::Inconclusive => counts.inconclusive += 1,
        }
    }
    layers.into_values().collect()
}

/// One row of the picture while it is gathered.
struct Row<'a> {
    does: Common<'a>,
    fields: BTreeMap<Column, Field>,
}

/// The cells, gathered by operation and kind of caller.
pub fn picture(cells: &[CellReport]) -> Vec<PictureRow> {
    let mut rows: BTreeMap<(Layer, &str), Row<'_>> = BTreeMap::new();
    for cell in cells {
        let new = || Row { does: Common::of(&cell.does), fields: BTreeMap::new() };
        let row = rows.entry((cell.layer, &cell.operation)).or_insert_with(new);
        row.does.narrow(&cell.does);
        row.fields.entry(cell.caller).or_default().add(cell.conclusion, &cell.expected.to_expectation());
    }
    let mut picture = Vec::with_capacity(rows.len());
    for ((layer, operation), row) in rows {
        let fields = row.fields.into_iter().map(|(caller, counts)| PictureField { caller, counts });
        let (operation, does) = (operation.to_owned(), row.does.text());
        picture.push(PictureRow { layer, operation, does, fields: fields.collect() });
    }
    picture
}

/// The words that sentences have in common: each at its place where all are equally long, else those at their beginnings
/// and at their ends.
struct Common<'a> {
    first: Vec<&'a str>,
    /// Of equally long sentences: which words are the same in all.
    same: Vec<bool>,
    equally_long: bool,
    start: usize,
    end: usize,
}

impl<'a> Common<'a> {
    fn of(sentence: &'a str) -> Self {
        let first: Vec<&str> = sentence.split(' ').collect();
        let length = first.len();
        Self { first, same: vec![true; length], equally_long: true, start: length, end: length }
    }

    fn narrow(&mut self, sentence: &str) {
        let other: Vec<&str> = sentence.split(' ').collect();
        let same = |(one, other): &(&&str, &&str)| one == other;
        self.start = self.start.min(self.first.iter().zip(&other).take_while(same).count());
        self.end = self.end.min(self.first.iter().rev().zip(other.iter().rev()).take_while(same).count());
        self.equally_long &= other.len() == self.first.len();
        for (place, (one, other)) in self.first.iter().zip(&other).enumerate() {
            self.same[place] &= one == other;
        }
    }

    fn text(&self) -> String {
        let mut same = self.same.clone();
        if !self.equally_long {
            // What one sentence has twice (`a b a`) is not counted at both its ends.
            let end = self.end.min(self.first.len() - self.start);
            let last = self.first.len() - end;
            same.iter_mut().enumerate().for_each(|(place, same)| *same = place < self.start || place >= last);
        }
        let mut words: Vec<&str> = Vec::new();
        for (place, (word, same)) in self.first.iter().zip(same).enumerate() {
            // A longer sentence may have more where this one has nothing.
            if !self.equally_long && place == self.start && words.last() != Some(&"…") {
                words.push("…");
            }
            match same {
                true => words.push(word),
                false if words.last() == Some(&"…") => {}
                false => words.push("…"),
            }
        }
        if !self.equally_long && self.start == self.first.len() {
            words.push("…");
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(sentences: &[&str]) -> String {
        let mut common = Common::of(sentences[0]);
        sentences.iter().for_each(|sentence| common.narrow(sentence));
        common.text()
    }

    #[test]
    fn an_operation_is_called_by_what_its_cells_have_in_common() {
        assert_eq!(common(&["listens to all of nats"]), "listens to all of nats");
        assert_eq!(
            common(&["finds the key of a in it", "finds the key of b in it"]),
            "finds the key of … in it"
        );
        assert_eq!(common(&["purges a of a", "purges a of a b"]), "purges a of a …");
        assert_eq!(common(&["a b a", "a c a", "a a"]), "a … a");
        assert_eq!(common(&["x", "y"]), "…");
        assert_eq!(common(&["offers a what b had", "offers c what d had"]), "offers … what … had");
        assert_eq!(common(&["a b", "a c b"]), "a … b");
    }
}

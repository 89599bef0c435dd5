//! A list of results, cut into parts that fit into one message each.

use serde_json::value::RawValue;

/// Parts of a JSON list, each a list itself.
#[derive(Debug, Default)]
pub struct Parts {
    /// The parts, in order.
    pub lists: Vec<Box<RawValue>>,
    /// How many items were left out because one alone is larger than a part may be.
    pub too_large: usize,
}

/// Puts parts together whose JSON is at most `limit` bytes each, and a pair of brackets.
#[derive(Debug)]
pub struct Cutter {
    limit: usize,
    /// The part that is being filled, without its closing bracket; empty when there is none.
    open: String,
    parts: Parts,
}

impl Cutter {
    /// No items yet.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, open: String::new(), parts: Parts::default() }
    }

    /// Takes the next item.
    ///
    /// # Errors
    /// What was taken before is not JSON.
    pub fn push(&mut self, item: &RawValue) -> Result<(), serde_json::Error> {
        // One byte for the comma, or for the opening bracket.
        let size = item.get().len() + 1;
        if size > self.limit {
            self.parts.too_large += 1;
            return Ok(());
        }
        if self.open.len() + size > self.limit {
            self.close()?;
        }
        self.open.push(if self.open.is_empty() { '[' } else { ',' });
        self.open.push_str(item.get());
        Ok(())
    }

    /// All parts.
    ///
    /// # Errors
    /// What was taken is not JSON.
    pub fn finish(mut self) -> Result<Parts, serde_json::Error> {
        self.close()?;
        Ok(self.parts)
    }

    fn close(&mut self) -> Result<(), serde_json::Error> {
        if !self.open.is_empty() {
            let list = std::mem::take(&mut self.open) + "]";
            self.parts.lists.push(RawValue::from_string(list)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(items: &[&str], limit: usize) -> (Vec<String>, usize) {
        let mut cutter = Cutter::new(limit);
        for item in items {
            cutter.push(serde_json::from_str(item).unwrap()).unwrap();
        }
        let parts = cutter.finish().unwrap();
        (parts.lists.iter().map(|list| list.get().to_owned()).collect(), parts.too_large)
    }

    #[test]
    fn results_are_cut_into_parts_in_order() {
        let expected = ["[10,11,12]", "[13]"].map(str::to_owned).to_vec();
        assert_eq!(cut(&["10", "11", "12", "13"], 9), (expected, 0));
        assert_eq!(cut(&[], 9), (vec![], 0));
    }

    #[test]
    fn a_result_that_fits_nowhere_is_counted() {
        let large = format!("\"{}\"", "x".repeat(100));
        assert_eq!(cut(&[&large, "1", &large, "2"], 50), (vec!["[1,2]".to_owned()], 2));
    }
}

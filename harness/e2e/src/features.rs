//! The feature files, all of them read before anything runs: one that cannot be read would leave out a whole guarantee, and
//! cucumber would go on with the others.

use std::path::Path;

use bulkhead_runtime::engine::chain;
use cucumber::gherkin::Feature;
use cucumber::{Parser, cli, parser};
use futures::{StreamExt as _, stream};

use crate::run::RunError;

/// Every feature below `folder`, its outlines expanded.
pub(crate) async fn read(folder: &Path) -> Result<Vec<Feature>, RunError> {
    let parsed: Vec<_> = parser::Basic::new().parse(folder, parser::basic::Cli::default()).collect().await;
    let features: Result<Vec<Feature>, _> = parsed.into_iter().collect();
    match features {
        Ok(features) if features.is_empty() => Err(RunError::NoFeatures(folder.to_owned())),
        Ok(features) => Ok(features),
        Err(error) => Err(RunError::Feature(chain(&error))),
    }
}

/// Hands on what was read already.
pub(crate) struct AsRead;

impl Parser<Vec<Feature>> for AsRead {
    type Cli = cli::Empty;
    type Output = stream::Iter<std::vec::IntoIter<parser::Result<Feature>>>;

    fn parse(self, features: Vec<Feature>, _: Self::Cli) -> Self::Output {
        stream::iter(features.into_iter().map(Ok).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Feature: one\n  Rule: r\n    Scenario Outline: <n>\n      Given <n>\n      Examples:\n        | n |\n        | a |\n        | b |\n";

    #[tokio::test]
    async fn a_file_that_does_not_parse_ends_the_run_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert!(matches!(read(folder.path()).await, Err(RunError::NoFeatures(_))));
        write("good.feature", GOOD);
        let features = read(folder.path()).await.unwrap();
        assert_eq!(features[0].rules[0].scenarios.len(), 2, "the outline is expanded");
        write("half.feature", "Feature: two\n  Rule: r\n    Scenario s\n      Gven\n");
        let error = read(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains("half.feature"), "{error}");
    }
}

//! The examples of the documentation are what the program reads.

use bulkhead_plan::{EnvironmentSpec, Topology};

/// The first YAML block of a page.
fn yaml_block(page: &str) -> &str {
    let after = page.split_once("```yaml\n").unwrap().1;
    after.split_once("```").unwrap().0
}

#[test]
fn the_specification_page_shows_a_specification() {
    let page = include_str!("../../../../docs/specification.md");
    let spec = EnvironmentSpec::from_yaml(yaml_block(page)).unwrap();
    assert_eq!(spec.tenants().len(), 2);
    assert_eq!(spec.ports.nats, Some(14222));
    assert_eq!(Topology::new(&spec).unwrap().services().len(), 2 + 1 + 3);
    assert_eq!(EnvironmentSpec::from_yaml(&spec.to_yaml()).unwrap(), spec);
}

use crate::fault::Fault;
pub(super) const FAULTS: &[Fault] = &[];

//! Whatever is read as a subject is written back to the byte and holds nothing that NATS gives a meaning.
#![no_main]

use bulkhead_identity::{Channel, Subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(channel) = text.parse::<Channel>() {
        assert_eq!(channel.as_str(), text);
    }
    if let Ok(subject) = text.parse::<Subject>() {
        assert_eq!(subject.to_string(), text);
        assert!(text.starts_with(&format!("{}.", subject.tenant)));
        assert!(!text.contains(|c: char| "*>$".contains(c) || c.is_whitespace() || c.is_control()));
        assert!(text.split('.').all(|token| !token.is_empty()));
    }
});

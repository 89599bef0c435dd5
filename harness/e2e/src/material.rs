//! A certificate in a few lines, for the report of a failed scenario.

use bulkhead_runtime::probe::Presented;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate, parse_x509_certificate};

/// Who is named, by whom, for how long: the leaf of what was presented.
pub(crate) fn describe(credential: &Presented) -> Vec<String> {
    let mut lines = vec![format!("certificate of {}:", credential.label())];
    match credential.chain().first().map(|leaf| parse_x509_certificate(leaf)) {
        Some(Ok((_, leaf))) => lines.extend(fields(&leaf)),
        Some(Err(error)) => lines.push(format!("  does not parse: {error}")),
        None => lines.push("  none".to_owned()),
    }
    lines
}

fn fields(leaf: &X509Certificate<'_>) -> [String; 4] {
    [
        format!("  subject   {}", leaf.subject()),
        format!("  names     {}", names(leaf)),
        format!("  issuer    {}", leaf.issuer()),
        format!("  validity  {} to {}", leaf.validity().not_before, leaf.validity().not_after),
    ]
}

fn names(leaf: &X509Certificate<'_>) -> String {
    let lists = leaf.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(list) => Some(&list.general_names),
        _ => None,
    });
    let texts: Vec<String> = lists
        .flatten()
        .map(|name| match name {
            GeneralName::DNSName(text) => format!("DNS:{text}"),
            GeneralName::URI(text) => format!("URI:{text}"),
            other => other.to_string(),
        })
        .collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

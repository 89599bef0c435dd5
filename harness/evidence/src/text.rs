//! Text that others wrote, made harmless: a log line of a hostile tenant's must not become markup, nor look like something
//! else than it is.

use std::fmt::{self, Write as _};

/// Text inside an element or an attribute of HTML or XML.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\n' => formatter.write_char('\n')?,
                '\t' => formatter.write_char(' ')?,
                deceptive if is_deceptive(deceptive) => {
                    write!(formatter, "\\u{{{:x}}}", u32::from(deceptive))?
                }
                plain => formatter.write_char(plain)?,
            }
        }
        Ok(())
    }
}

/// Characters that are not seen, or change how others are seen: controls (most of which XML 1.0 cannot carry at all),
/// marks that turn the direction of text (CVE-2021-42574), and spaces without width.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'..='\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_becomes_markup() {
        let hostile = "</li><script>alert('1')</script> & \"x\"";
        let harmless = "&lt;/li&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;";
        assert_eq!(Escaped(hostile).to_string(), harmless);
    }

    #[test]
    fn what_deceives_the_eye_is_spelled_out() {
        assert_eq!(
            Escaped("a\u{202e}b\0\u{1b}[31m\u{200b}\tc\nd").to_string(),
            "a\\u{202e}b\\u{0}\\u{1b}[31m\\u{200b} c\nd"
        );
        assert_eq!(Escaped("Zürich – 東京").to_string(), "Zürich – 東京");
    }
}

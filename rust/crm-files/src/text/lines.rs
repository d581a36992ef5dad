//! Lines of a text before its syntax is known: what the caller counts, and what one encoding is judged by.
use super::dialect::RECORD_SEPARATOR;

/// What ends the lines of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// `\n`, `\r`, `\r\n`, and `\r\r\n`, which is a line end that was converted twice.
    Usual,
    /// The record separator of ASCII, where there is none of these.
    Separated,
}

impl Lines {
    /// Judged by the beginning of a text.
    pub(super) fn of(text: &[u8]) -> Self {
        let is_separated = || memchr::memchr_iter(RECORD_SEPARATOR, text).nth(1).is_some();
        if memchr::memchr2(b'\n', b'\r', text).is_none() && is_separated() { Self::Separated } else { Self::Usual }
    }

    /// Where the first line ends, and where the next one begins.
    fn end(self, text: &[u8]) -> Option<(usize, usize)> {
        let at = match self {
            Self::Usual => memchr::memchr2(b'\n', b'\r', text),
            Self::Separated => memchr::memchr(RECORD_SEPARATOR, text),
        }?;
        let len = match &text[at..] {
            [b'\r', b'\r', b'\n', ..] => 3,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        Some((at, at + len))
    }

    /// The lines with their ends.
    pub(super) fn whole(self, text: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let (_, next) = self.end(rest).or_else(|| (!rest.is_empty()).then_some((rest.len(), rest.len())))?;
            let (line, others) = rest.split_at(next);
            rest = others;
            Some(line)
        })
    }

    /// About as many line ends as there are in text that is not decoded yet.
    pub(super) fn count_bytes(self, bytes: &[u8]) -> usize {
        let count = |byte: u8| memchr::memchr_iter(byte, bytes).count();
        match self {
            Self::Usual => count(b'\n').max(count(b'\r')),
            Self::Separated => count(RECORD_SEPARATOR),
        }
    }

    /// Where the line begins that `n` lines precede.
    pub(super) fn start(self, text: &[u8], n: u64) -> usize {
        let mut at = 0;
        for _ in 0..n {
            match self.end(&text[at..]) {
                Some((_, next)) => at += next,
                None => return text.len(),
            }
        }
        at
    }

    /// Behind the last line end.
    pub(super) fn last_start(self, text: &[u8]) -> usize {
        let last = match self {
            Self::Usual => memchr::memrchr2(b'\n', b'\r', text),
            Self::Separated => memchr::memrchr(RECORD_SEPARATOR, text),
        };
        last.map_or(0, |at| at + 1)
    }
}

/// The lines of `text` without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let by = Lines::of(text);
    by.whole(text).map(move |line| by.end(line).map_or(line, |(end, _)| &line[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for text in [&b"a\nb\nc"[..], b"a\r\nb\r\nc", b"a\rb\rc", b"a\x1Eb\x1Ec"] {
            let by = Lines::of(text);
            assert_eq!(by.count_bytes(text), 2, "{text:?}");
            assert_eq!(&text[by.start(text, 2)..], b"c");
            assert_eq!(by.start(text, 9), text.len());
            assert_eq!(&text[by.last_start(text)..], b"c");
            assert_eq!(by.whole(text).collect::<Vec<_>>().concat(), text);
            assert_eq!(lines(text).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        }
        assert_eq!(lines(b"a\r\r\nb\r\r\nc").count(), 3);
        // A separator among lines is content.
        assert_eq!(lines(b"a\x1Eb\x1E\nd").collect::<Vec<_>>(), [&b"a\x1Eb\x1E"[..], b"d"]);
    }
}

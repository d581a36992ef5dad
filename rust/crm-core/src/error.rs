use std::fmt;

/// The result of anything in crm_engine that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it, in one message without a trailing dot.
///
/// Messages carry no contact data: they name files, rows, columns and options, never values of a person.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`]; each becomes one Python exception.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option or a config file is wrong: `ConfigError`.
    Config,
    /// A table lacks a column or has one of the wrong type: `SchemaError`.
    Schema,
    /// A rule does not parse or does not fit the schema: `RuleError`, with line and column from 1.
    Rule {
        /// Line in the rule's source, from 1.
        line: u64,
        /// Column in that line, in characters, from 1.
        column: u64,
        /// The nearest valid name, where a name was unknown.
        nearest: Option<String>,
    },
    /// A file cannot be read as what it claims to be: `FileFormatError`.
    FileFormat {
        /// The file, as the caller named it.
        file: Option<String>,
        /// Row in the file, from 1.
        row: Option<u64>,
        /// Name or letter of the column.
        column: Option<String>,
    },
    /// The base or the spool is damaged or cannot be written: `StoreError`.
    Store,
    /// Another process holds the base: `LockedError`.
    Locked,
    /// A limit (memory, size, count) was reached: `LimitError`.
    Limit,
    /// The operating system refused: `OSError` with this errno where there is one.
    Os {
        /// `errno`, where the system gave one.
        errno: Option<i32>,
        /// The path it concerns.
        path: Option<String>,
    },
    /// The caller cancelled (Ctrl-C).
    Interrupted,
    /// A fault of crm_engine itself: `InternalError`.
    Internal,
}

impl Error {
    /// An error of a given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A wrong option or config.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A missing or mistyped column.
    pub fn schema(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, message)
    }

    /// A file that cannot be read as what it claims to be.
    pub fn file_format(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FileFormat { file: Some(file.into()), row: None, column: None }, message)
    }

    /// A damaged or unwritable store.
    pub fn store(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Store, message)
    }

    /// A limit that was reached.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// A fault of crm_engine itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The run was cancelled by its caller.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// What the operating system said about a path.
    pub fn os(error: &std::io::Error, path: impl Into<String>) -> Self {
        let path = path.into();
        let message = format!("{path}: {error}");
        Self::new(ErrorKind::Os { errno: error.raw_os_error(), path: Some(path) }, message)
    }

    /// The kind, for deciding what to do.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The message, for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<arrow_schema::ArrowError> for Error {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::internal(format!("Arrow: {error}"))
    }
}

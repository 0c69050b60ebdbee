//! Arguments of Windows batch files.
//!
//! Windows hands a `.cmd` or `.bat` file to `cmd.exe`, which reads the arguments by rules of its own. Since 1.77.2 the
//! standard library quotes them for it when it is given the file's full path, or refuses (CVE-2024-24576): every
//! argument that is not plainly harmless stands in quotes, quotes are doubled, and `%` is kept from naming a variable.
//! That is right for the files that npm, uv and others install, which pass `%*` on. What is left for us is to refuse
//! early, and in words that a person can act on, what no quoting can carry.

use std::fmt;

/// The longest command line that `cmd.exe` takes, in UTF-16 units (learn.microsoft.com, "Command prompt line string
/// limitation").
const MAX_COMMAND_LINE: usize = 8191;

/// An argument, or the script's own path, that cannot reach a batch file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsafeArgument {
    /// The path of the script has a character that `cmd.exe` would act on.
    Script {
        /// The character.
        character: char,
    },
    /// An argument has a character that ends the line or the text.
    Argument {
        /// Which one, counted from 1.
        position: usize,
        /// The character.
        character: char,
    },
    /// All of them together are longer than `cmd.exe` takes.
    TooLong {
        /// How long they are at the least, in UTF-16 units.
        units: usize,
    },
}

impl std::error::Error for UnsafeArgument {}

impl fmt::Display for UnsafeArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |character: &char| match character {
            '\n' => "a line feed",
            '\r' => "a carriage return",
            '\0' => "a zero character",
            '%' => "`%`",
            '"' => "a quotation mark",
            _ => "a backslash at its end",
        };
        match self {
            Self::Script { character } => {
                write!(f, "the path of a batch file cannot have {}; move the program", name(character))
            }
            Self::Argument { position, character } => write!(
                f,
                "argument {position} has {}, which cannot be passed to a batch file; \
                 start the program behind it instead, as in `node server.js`",
                name(character)
            ),
            Self::TooLong { units } => write!(
                f,
                "the arguments are {units} characters long, and a batch file takes {MAX_COMMAND_LINE}; \
                 start the program behind it instead, as in `node server.js`"
            ),
        }
    }
}

/// Whether the standard library can start this batch file with these arguments so that they arrive as they are.
///
/// # Errors
/// If it cannot: the first thing in the way.
pub fn check_batch_arguments<'a>(
    script: &str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<(), UnsafeArgument> {
    // The standard library refuses quotes and a final backslash. It lets `%` through, which `cmd.exe` would expand: the
    // program that runs would be another one.
    if let Some(character) = script.chars().find(|c| matches!(c, '"' | '%' | '\r' | '\n' | '\0')) {
        return Err(UnsafeArgument::Script { character });
    }
    if script.ends_with('\\') {
        return Err(UnsafeArgument::Script { character: '\\' });
    }
    // A lower bound, as quoting only adds: nothing is refused that would have arrived.
    let mut units = script.encode_utf16().count();
    for (index, argument) in arguments.into_iter().enumerate() {
        if let Some(character) = argument.chars().find(|c| matches!(c, '\r' | '\n' | '\0')) {
            return Err(UnsafeArgument::Argument { position: index + 1, character });
        }
        units = units.saturating_add(1 + argument.encode_utf16().count());
    }
    if units > MAX_COMMAND_LINE { Err(UnsafeArgument::TooLong { units }) } else { Ok(()) }
}

//! What the commands of Thoth share: what a person or a script reads, exit codes, Thoth's own directory, and files of
//! other programs that are changed without losing a byte.

pub mod arguments;
pub mod cells;
pub mod command_line;
pub mod config_file;
pub mod exit;
pub mod home;
pub mod key_file;
pub mod masking;
pub mod policy_files;
pub mod terminal;

//! SQL that is abuse, and SQL and words of a day's work.

use super::super::detection::Direction;
use super::*;

fn kind(role: Role, text: &str) -> Option<&'static str> {
    let leaf = Leaf::new(text, "x", LeafKind::Text, role, Direction::Arguments);
    let mut hits = Vec::new();
    find(&leaf, &thoth_text::percent::decode(text), &mut hits);
    hits.first().map(|hit| hit.kind.trim_start_matches("sql."))
}

#[test]
fn table() {
    assert!(DANGEROUS_SET.is_some() && SMUGGLED_SET.is_some(), "the patterns compile");
    for (role, text, expected) in [
        (Role::Sql, "SELECT * FROM users WHERE id = 1 OR name = 'x'", None),
        (Role::Sql, "SELECT a FROM t UNION SELECT b FROM u", None),
        (Role::Sql, "DELETE FROM t WHERE id = 3", None),
        (Role::Sql, "UPDATE t SET a = 1 WHERE b = 2", None),
        (Role::Sql, "INSERT INTO t VALUES (1)", None),
        (Role::Sql, "DROP TABLE users", Some("destructive")),
        (Role::Sql, "DROP/**/TABLE users", Some("destructive")),
        (Role::Sql, "TRUNCATE TABLE logs", Some("destructive")),
        (Role::Sql, "DELETE FROM users", Some("without_where")),
        (Role::Sql, "SELECT 1; update users set admin = true", Some("without_where")),
        (Role::Sql, "GRANT ALL ON *.* TO 'x'", Some("privilege")),
        (Role::Sql, "SELECT * FROM users WHERE 'a' = 'b' OR 1=1 --", Some("tautology")),
        (Role::Sql, "SELECT x INTO OUTFILE '/tmp/x' FROM t", Some("escape")),
        (Role::Sql, "COPY t TO PROGRAM 'sh'", Some("escape")),
        (Role::Scalar, "O'Brien", None),
        (Role::Scalar, "Drop Table Lamp; brass", None),
        (Role::Scalar, "Student Union select committee", None),
        (Role::Scalar, "' OR '1'='1", Some("tautology")),
        (Role::Scalar, "1 OR 1=1", Some("tautology")),
        (Role::Scalar, "admin'--", Some("comment_out")),
        (Role::Scalar, "x'; DROP TABLE users; --", Some("stacked")),
        (Role::Scalar, "1 UNION SELECT username, password FROM users", Some("union")),
        (Role::Scalar, "1 /*!50000UNION*/ SELECT null,null", Some("union")),
        (Role::Scalar, "1%27%20OR%20%271%27=%271", Some("tautology")),
        (Role::Scalar, "1; waitfor delay '0:0:5'", Some("stacked")),
        (Role::Scalar, "1) and sleep(5)", Some("time_delay")),
        (Role::Search, "how to drop table in sql", None),
        (Role::Search, "difference between union select and join", None),
        (Role::Prose, "'; DROP TABLE users; --", None),
    ] {
        assert_eq!(kind(role, text), expected, "{role:?} {text}");
    }
}

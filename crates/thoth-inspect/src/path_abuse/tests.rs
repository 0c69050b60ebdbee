//! Paths that are abuse, and paths of a day's work.

use super::super::detection::Direction;
use super::super::leaf::LeafKind;
use super::sensitive::SECRET_FOLDERS;
use super::*;

fn kinds(role: Role, text: &str) -> Vec<&'static str> {
    let leaf = Leaf::new(text, "path", LeafKind::Text, role, Direction::Arguments);
    let settings = InspectSettings { allowed_paths: vec!["/srv/keys/".to_owned()], ..InspectSettings::default() };
    let mut hits = Vec::new();
    find(&leaf, &percent::decode(text), &settings, &mut Effort::of(0), &mut hits);
    hits.iter().map(|hit| hit.kind.trim_start_matches("path.")).collect()
}

#[test]
fn table() {
    for (text, expected) in [
        ("src/main.rs", vec![]),
        ("../README.md", vec![]),
        ("../../docs/guide.md", vec![]),
        ("/var/log/app.log", vec![]),
        ("/etc/nginx/nginx.conf", vec![]),
        ("C:\\Users\\me\\notes.txt", vec![]),
        (".env.example", vec![]),
        ("id_rsa.pub.md", vec![]),
        ("/srv/keys/server.key", vec![]),
        ("a%20b.txt", vec![]),
        ("../../../../etc/hostname", vec!["traversal"]),
        ("/var/www/../../../etc/passwd", vec!["traversal", "system_file"]),
        ("..%2f..%2fetc%2fpasswd", vec!["encoded_traversal", "system_file"]),
        ("%252e%252e%252fsecret", vec!["encoded_traversal"]),
        ("..\\..\\..\\windows\\win.ini", vec!["traversal"]),
        ("．．／．．／．．／etc/shadow", vec!["traversal", "system_file"]),
        ("report.pdf\0.png", vec!["null_byte"]),
        ("~/.ssh/id_ed25519", vec!["credential_file"]),
        ("/home/x/.aws/credentials", vec!["credential_file"]),
        ("/home/x/.ssh/id_rsa.pub", vec![]),
        (".env.production", vec!["env_file"]),
        ("/home/x/.zshrc", vec!["startup_file"]),
        ("/proc/self/environ", vec!["system_file"]),
        ("/proc/cpuinfo", vec![]),
        ("/etc", vec!["system_file"]),
        ("file:///etc/passwd", vec!["system_file"]),
    ] {
        let role = if text.starts_with("file:") { Role::Url } else { Role::Path };
        assert_eq!(kinds(role, text), expected, "{text}");
    }
    for text in
        ["file:///etc/passwd", "file:///etc/x/../passwd", "file://localhost/etc/%2e/passwd", "FILE:/etc/sudoers"]
    {
        for role in [Role::Path, Role::Scalar, Role::Opaque] {
            assert_eq!(kinds(role, text), ["system_file"], "{role:?} {text}");
        }
    }
    assert_eq!(kinds(Role::Prose, "See /etc/passwd and ~/.ssh/id_rsa"), Vec::<&str>::new());
    assert_eq!(kinds(Role::Command, "cat /etc/shadow"), ["system_file"]);
    assert_eq!(kinds(Role::Command, "cat README.md && ls /etc"), Vec::<&str>::new());
}

/// Defends the quick way to the folders: each opens with a character that is looked for.
#[test]
fn every_secret_folder_is_found_where_it_stands() {
    for folder in SECRET_FOLDERS {
        for path in [format!("{folder}/x"), format!("/home/me/{folder}/x"), format!("a/{folder}")] {
            assert!(sensitive(&path).is_some(), "{path}");
        }
        assert_eq!(sensitive(&format!("home/x{folder}/y")), None, "{folder}");
    }
}

//! The link from a page to where its text can be edited. Where that is, the clone knows: it came from there.

use std::path::Path;
use std::process::Command;

/// How the hosts that we know call the page that edits a file.
const EDITORS: [(&str, &str); 3] =
    [("github.com", "edit"), ("gitlab.com", "-/edit"), ("codeberg.org", "_edit")];

/// The address of that page for mdBook's `edit-url-template`. There is none for a clone of a folder.
pub fn template(book: &Path) -> Option<String> {
    let origin = git(book, &["remote", "get-url", "origin"])?;
    let folder = git(book, &["rev-parse", "--show-prefix"])?;
    Some(format!("{}/{folder}{{path}}", address(&origin)?))
}

/// Of `https://HOST/OWNER/NAME.git`, or of the same for ssh, with the branch that all changes go to.
fn address(origin: &str) -> Option<String> {
    let place = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("ssh://git@"))
        .map(str::to_owned)
        .or_else(|| Some(origin.strip_prefix("git@")?.replacen(':', "/", 1)))?;
    let place = place.trim_end_matches('/').trim_end_matches(".git");
    let (host, repository) = place.split_once('/')?;
    let (_, editor) = EDITORS.iter().find(|(known, _)| *known == host)?;
    Some(format!("https://{host}/{repository}/{editor}/main"))
}

fn git(folder: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(words).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn where_a_page_is_edited() {
        let github = Some("https://github.com/owner/name/edit/main".to_owned());
        for origin in [
            "https://github.com/owner/name",
            "https://github.com/owner/name.git",
            "git@github.com:owner/name.git",
            "ssh://git@github.com/owner/name.git/",
        ] {
            assert_eq!(address(origin), github, "{origin}");
        }
        assert_eq!(address("https://gitlab.com/a/b/c").unwrap(), "https://gitlab.com/a/b/c/-/edit/main");
        assert_eq!(address("https://codeberg.org/a/b").unwrap(), "https://codeberg.org/a/b/_edit/main");
        for nowhere in
            ["/a/folder", "https://example.com/a/b", "https://user:secret@github.com/a/b", "../x", ""]
        {
            assert_eq!(address(nowhere), None, "{nowhere}");
        }
    }
}

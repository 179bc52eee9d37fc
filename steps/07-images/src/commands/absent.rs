//! Docker's other commands and options: named, with the reason, instead of "unrecognized".

use anyhow::Result;
use step03_pid::Failed;

use super::later::{RIGHTS, not_here};
use crate::preferences::elsewhere;
use crate::text::printable;

const BUILD: &str = "images are built by others: buildah, umoci or Docker, and `load` or `pull` takes them";
const NETWORK: &str =
    "there is one network for all, a bridge of root's or the user's own pasta: see `run --network`";
const DAEMON: &str = "there is no daemon that would know: see `ps`, `logs --follow` and `wait`";
const CLUSTER: &str = "Coracle runs on one machine";

/// The commands, each with what is to be said.
const ABSENT: [(&str, &str); 24] = [
    ("build", BUILD),
    ("builder", BUILD),
    ("buildx", BUILD),
    ("commit", BUILD),
    ("import", BUILD),
    (
        "export",
        "`cp CONTAINER:/ -` writes all of a container's files as an archive; `diff` shows what has changed",
    ),
    ("push", "`save` writes an archive, and `skopeo copy oci-archive:FILE docker://NAME` pushes it"),
    ("manifest", "`skopeo inspect --raw docker://NAME` shows a manifest"),
    ("search", "a registry is searched on its own pages"),
    ("network", NETWORK),
    ("events", DAEMON),
    ("context", DAEMON),
    ("compose", "one container at a time is started here; `run --network container:NAME` joins two"),
    ("plugin", "there are none"),
    ("trust", "an image is trusted by its digest: `pull NAME@sha256:…`"),
    ("checkpoint", "it needs a program that saves processes, criu"),
    ("swarm", CLUSTER),
    ("node", CLUSTER),
    ("service", CLUSTER),
    ("stack", CLUSTER),
    ("secret", CLUSTER),
    ("config", CLUSTER),
    ("scan", "others look into images: trivy or grype on what `save` writes"),
    ("scout", "others look into images: trivy or grype on what `save` writes"),
];

const REACH: &str = "there is no daemon to be reached: what is asked for is done here, on this machine";
const CRIU: &str = "it needs a program that saves processes, criu";

/// Docker's other options: the command, or nothing for those that stand before one; the name; the letter; and what is
/// to be said. What `run` has none of stands in `later`.
const OPTIONS: [(&str, &str, &str, &str); 22] = [
    ("", "--host", "-H", REACH),
    ("", "--context", "-c", REACH),
    ("", "--tls", "", REACH),
    ("", "--tlscacert", "", REACH),
    ("", "--tlscert", "", REACH),
    ("", "--tlskey", "", REACH),
    ("", "--tlsverify", "", REACH),
    ("exec", "--privileged", "", RIGHTS),
    ("rm", "--link", "-l", "containers are not linked: `run --network container:NAME` joins two"),
    ("start", "--checkpoint", "", CRIU),
    ("start", "--checkpoint-dir", "", CRIU),
    ("volume ls", "--cluster", "", CLUSTER),
    ("volume create", "--availability", "", CLUSTER),
    ("volume create", "--group", "", CLUSTER),
    ("volume create", "--limit-bytes", "", CLUSTER),
    ("volume create", "--required-bytes", "", CLUSTER),
    ("volume create", "--scope", "", CLUSTER),
    ("volume create", "--secret", "", CLUSTER),
    ("volume create", "--sharing", "", CLUSTER),
    ("volume create", "--topology-preferred", "", CLUSTER),
    ("volume create", "--topology-required", "", CLUSTER),
    ("volume create", "--type", "", CLUSTER),
];

/// Refuses what was meant for another machine: done here, `rm --force` would hit the wrong one.
///
/// # Errors
/// It was.
pub(super) fn refuse_elsewhere(verb: &str) -> Result<()> {
    // These do nothing to what is kept here.
    if ["completion", "login", "logout", "man", "monitor"].contains(&verb) {
        return Ok(());
    }
    let Some((what, host)) = elsewhere() else { return Ok(()) };
    let text = format!(
        "{what} means another machine, {}: Coracle does what is asked for on this one\n\
         unset DOCKER_HOST and DOCKER_CONTEXT, or say: DOCKER_CONTEXT=default coracle {verb} ...",
        printable(&host)
    );
    Err(Failed { code: if ["run", "create"].contains(&verb) { 125 } else { 1 }, text }.into())
}

/// Why a command of Docker's is not here; nothing if Docker has none of this name either.
pub(super) fn command(verb: &str) -> Option<String> {
    let (name, why) = ABSENT.iter().find(|(name, _)| *name == verb)?;
    Some(format!("{name} is not part of Coracle\n{why}"))
}

/// The same for an option, as it was said, of the commands that were said before it.
pub(super) fn option(said: &[&str], option: &str) -> Option<String> {
    let command = match said {
        // What is said below these two is said outside as well.
        ["container" | "image", verb] => (*verb).to_owned(),
        said => said.join(" "),
    };
    let is_it = |of: &str, name: &str, letter: &str| of == command && (option == name || option == letter);
    let (_, name, _, why) = OPTIONS.iter().find(|(of, name, letter, _)| is_it(of, name, letter))?;
    Some(not_here(name, why))
}

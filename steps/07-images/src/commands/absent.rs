//! Docker's other commands: named, with the reason, instead of "unrecognized".

const BUILD: &str = "images are built by others: buildah, umoci or Docker, and `load` or `pull` takes them";
const NETWORK: &str =
    "there is one network for all, a bridge of root's or the user's own pasta: see `run --network`";
const DAEMON: &str = "there is no daemon that would know: see `ps`, `logs --follow` and `wait`";
const CLUSTER: &str = "Coracle runs on one machine";

/// Each with what is to be said.
const ABSENT: [(&str, &str); 24] = [
    ("build", BUILD),
    ("builder", BUILD),
    ("buildx", BUILD),
    ("commit", BUILD),
    ("import", BUILD),
    ("export", "what a container has changed is shown by `diff` and taken out by `cp`"),
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

/// Why a command of Docker's is not here; nothing if Docker has none of this name either.
pub(super) fn why(verb: &str) -> Option<String> {
    let (name, why) = ABSENT.iter().find(|(name, _)| *name == verb)?;
    Some(format!("{name} is not part of Coracle\n{why}"))
}

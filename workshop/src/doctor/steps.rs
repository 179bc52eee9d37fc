//! What each step needs, tried in the order of the steps.

use anyhow::{Context, Result};
use nix::unistd::getuid;

use super::attempt::{Attempt, find};
use super::folder::Folder;
use super::{Advice, Role, Verdict, reason, surroundings};

/// The verdicts, with the steps' names.
pub fn verdicts(role: Role, name: &str) -> Result<Vec<(&'static str, Verdict)>> {
    let steps = ["01 unshare", "02 uts", "03 pid", "04 mount", "05 userns", "06 net", "07 images"];
    // Each step stands on those before it: what stops one stops all that follow, and is told there too.
    let mut stopped = reason::too_old();
    let mut verdicts = Vec::new();
    for step in steps {
        let verdict = match &stopped {
            Some(advice) => Verdict::No(advice.clone()),
            None => {
                verdict(step, role, name).with_context(|| format!("cannot try what step {step} needs"))?
            }
        };
        if let Verdict::No(advice) = &verdict {
            stopped = Some(advice.clone());
        }
        verdicts.push((step, verdict));
    }
    Ok(verdicts)
}

fn verdict(step: &str, role: Role, name: &str) -> Result<Verdict> {
    match step {
        "01 unshare" => needs(&user_namespace(role, &[], "true"), reason::no_namespaces),
        "02 uts" => needs(
            // A host name takes root's rights in the namespace, which AppArmor may take away. So does a mount,
            // and every machine can try that.
            &user_namespace(role, &["--uts", "--ipc", "--mount"], "mount -t tmpfs tmpfs /tmp"),
            reason::no_namespaces,
        ),
        "03 pid" => {
            needs(&user_namespace(role, &["--pid", "--fork", "--time"], "true"), reason::no_namespaces)
        }
        "04 mount" => {
            let options = ["--mount", "--pid", "--fork", "--mount-proc"];
            needs(&user_namespace(role, &options, "mount -t tmpfs tmpfs /tmp"), reason::no_proc)
        }
        "05 userns" => ids(role, name),
        "06 net" => match role {
            Role::Root => bridge(),
            Role::User => pasta(),
        },
        _ => overlay(role),
    }
}

/// A shell command in new namespaces, which an ordinary user has in a new user namespace only.
fn user_namespace(role: Role, options: &[&str], command: &str) -> Attempt {
    let mut words = vec!["unshare"];
    if role == Role::User {
        words.extend(["--user", "--map-root-user"]);
    }
    words.extend(options);
    words.extend(["sh", "-c", command]);
    Attempt::new(&words)
}

fn needs(attempt: &Attempt, why: fn(&str) -> Advice) -> Result<Verdict> {
    Ok(match attempt.run()? {
        Ok(()) => Verdict::Runs,
        Err(text) => Verdict::No(why(&text)),
    })
}

/// A whole range of ids. Without it one's own id can be mapped still.
fn ids(role: Role, name: &str) -> Result<Verdict> {
    if let Err(text) = Attempt::new(&["unshare", "--user", "true"]).run()? {
        return Ok(Verdict::No(reason::no_namespaces(&text)));
    }
    if role == Role::Root {
        return Ok(Verdict::Runs);
    }
    let one_id = |problem: String, fix: String| {
        Ok(Verdict::Partly(Advice { problem: format!("with one id: {problem}"), fix }))
    };
    if getuid().is_root() {
        return one_id(
            "this is a user namespace already".into(),
            "ask as an ordinary user of the machine".into(),
        );
    }
    for helper in ["newuidmap", "newgidmap"] {
        if find(helper).is_none() {
            return one_id(format!("{helper} is missing"), "sudo apt install uidmap".into());
        }
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        let Some((first, count)) = reason::range(file, name) else {
            let (first, last) = step05_userns::unused();
            let fix =
                format!("sudo usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {name}");
            return one_id(format!("{file} has no range for {name}"), fix);
        };
        let helper = if file == "/etc/subuid" { "newuidmap" } else { "newgidmap" };
        // A process that waits in a new user namespace, and the helper that gives it the range.
        let script = format!(
            "exec 3>&1; unshare --user sleep 5 & sleep 0.2; {helper} $! 1 {first} {count}; code=$?; kill $!; exit $code"
        );
        if let Err(text) = Attempt::new(&["sh", "-c", &script]).run()? {
            return one_id(
                format!("{helper} refuses: {text}"),
                format!("look at the rights of {helper}: sudo apt reinstall uidmap"),
            );
        }
    }
    Ok(Verdict::Runs)
}

/// Root's network: a bridge, veth pairs, and rewriting by nft.
fn bridge() -> Result<Verdict> {
    let without = |problem: String, fix: &str| {
        Ok(Verdict::Partly(Advice {
            problem: format!("without a network to the outside: {problem}"),
            fix: fix.into(),
        }))
    };
    let Some(nft) = find("nft") else {
        return without("nft is missing".into(), "sudo apt install nftables");
    };
    let rules = format!(
        "printf 'table inet t {{ chain c {{ type nat hook postrouting priority 100; masquerade; }}; }}' | {} -f -",
        nft.display()
    );
    if let Err(text) = Attempt::new(&["unshare", "--net", "sh", "-c", &rules]).run()? {
        return without(
            format!("the kernel does not masquerade: {text}"),
            "sudo modprobe -a nf_tables nft_chain_nat nft_masq",
        );
    }
    if find("ip").is_some() {
        for link in ["ip link add bridge0 type bridge", "ip link add veth0 type veth peer name veth1"] {
            if let Err(text) = Attempt::new(&["unshare", "--net", "sh", "-c", link]).run()? {
                return without(format!("`{link}` fails: {text}"), "sudo modprobe -a bridge veth");
            }
        }
    }
    Ok(Verdict::Runs)
}

/// An ordinary user's network.
fn pasta() -> Result<Verdict> {
    if let Err(text) = user_namespace(Role::User, &["--net"], "true").run()? {
        return Ok(Verdict::No(reason::no_namespaces(&text)));
    }
    let without = |problem: String, fix: &str| {
        Ok(Verdict::Partly(Advice {
            problem: format!("without a network of its own: {problem}"),
            fix: fix.into(),
        }))
    };
    let Some(pasta) = find("pasta") else {
        return without("pasta is missing".into(), "sudo apt install passt");
    };
    let tun = std::path::Path::new("/dev/net/tun");
    if let Err(error) = std::fs::OpenOptions::new().read(true).write(true).open(tun) {
        return without(
            format!("/dev/net/tun cannot be opened: {error}"),
            "sudo modprobe tun; in a container: --device /dev/net/tun",
        );
    }
    if let Err(text) = Attempt::new(&[&pasta.display().to_string(), "--config-net", "--", "true"]).run()? {
        return without(format!("pasta fails: {text}"), "try: pasta --config-net -- true");
    }
    Ok(Verdict::Runs)
}

/// Layers are put over one another where the store is, in the way that the role allows.
fn overlay(role: Role) -> Result<Verdict> {
    let store = match Folder::beside_the_store(role) {
        Ok(store) => store,
        Err(error) => {
            let problem = format!("with --root DIR only: {error:#}");
            return Ok(Verdict::Partly(Advice {
                problem,
                fix: "export XDG_DATA_HOME=DIR, a folder of yours".into(),
            }));
        }
    };
    let option = if role == Role::User { ",userxattr" } else { "" };
    let script = format!(
        "cd {} && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w{option} m",
        store.path().display()
    );
    let outcome = user_namespace(role, &["--mount"], &script).run()?;
    Ok(match outcome {
        Ok(()) => surroundings::no_room(store.path()).map_or(Verdict::Runs, Verdict::Partly),
        Err(text) => Verdict::No(reason::no_overlay(store.path(), &text)),
    })
}

//! The answers to the exercises of chapter 02 that are code: they compile, and they hold.

use clap::{Args, Parser};
use step01_unshare::Namespaces;
use step02_uts::Uts;

// ANCHOR: share_ipc
/// The options of step 02, and one more.
#[derive(Args)]
struct Options {
    #[command(flatten)]
    uts: Uts,
    /// Keep the message queues of the host
    #[arg(long)]
    share_ipc: bool,
}

impl Options {
    fn namespaces(&self) -> Namespaces {
        let all = step02_uts::namespaces();
        if self.share_ipc { all.without(Namespaces::IPC) } else { all }
    }
}
// ANCHOR_END: share_ipc

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn options(words: &[&str]) -> Options {
    Cli::try_parse_from([&["step02"], words].concat()).unwrap().options
}

#[test]
fn shared_queues_are_one_namespace_less() {
    let options = [options(&["--hostname", "box"]), options(&["--hostname", "box", "--share-ipc"])];
    assert_eq!(options[0].namespaces(), Namespaces::UTS | Namespaces::IPC);
    assert_eq!(options[1].namespaces(), Namespaces::UTS);
    assert_eq!(options[1].uts.hostname.as_deref(), Some("box"));
}

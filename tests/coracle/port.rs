//! `port`: where the published ports are reached.

use crate::kit::{Boat, Image, Ran, Started};

#[test]
fn ports_are_listed_as_docker_lists_them() {
    let Some(image) = Image::usual() else { return };
    if support::Role::here() != support::Role::Root {
        return support::not_applicable(support::NotApplicable::NoBridge);
    }
    let boat = Boat::holding(&image);
    let mut words =
        vec!["run", "--name", "runs", "--publish", "127.0.0.1::80", "--publish", "127.0.0.1::8/udp"];
    words.extend([&*boat.image, "sh", "-c", "echo started; read line; sleep 1000"]);
    let mut runs = Started::of(&mut boat.command(words));
    let all = boat.coracle("port runs").ok();
    let (udp, tcp) = all.split_once('\n').unwrap();
    assert!(udp.starts_with("8/udp -> 127.0.0.1:") && tcp.starts_with("80/tcp -> 127.0.0.1:"), "{all}");
    assert_eq!(boat.coracle("port runs 80").ok(), &tcp[10..]);
    assert_eq!(boat.coracle("port runs 80/tcp").ok(), &tcp[10..]);
    assert_eq!(boat.coracle("port runs 8/udp").ok(), &udp[9..]);
    boat.coracle("port runs 8").failed(1, "No public port '8/tcp' published for runs");
    boat.coracle("port runs 80/icmp").failed(1, "No public port '80/icmp' published for runs");
    boat.coracle("port runs abc").failed(1, "invalid port (abc)");
    boat.coracle("port runs 65536").failed(1, "invalid port (65536)");
    boat.coracle("kill runs").ok();
    runs.end();
    // Nothing of it is reached any more.
    assert_eq!(boat.coracle("port runs").ok(), "");
}

#[test]
fn container_without_ports_has_none() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    assert_eq!(boat.coracle("port one").ok(), "");
    boat.coracle("port one 80").failed(1, "No public port '80/tcp' published for one");
    boat.coracle("port nobody").failed(1, "No such container: nobody");
    Ran::of(&mut boat.command(["port"])).failed(1, "Run 'coracle port --help'");
}

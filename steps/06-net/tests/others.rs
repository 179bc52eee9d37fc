//! Hosts whose own firewall drops what is forwarded.

mod lab;

use std::io::Read;
use std::net::TcpListener;

use lab::{Lab, SERVE, accept_soon, answer_soon, in_network_of, output_of, said};
use support::{not_run, program};

/// The chains that Docker makes (moby, `libnetwork/iptables`).
const DOCKER: &str = "table ip filter { \
    chain DOCKER-USER { counter return; }; \
    chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }; }";

fn nft(text: &str) {
    let nft = program("nft").unwrap();
    assert!(support::command(nft).arg(text).status().unwrap().success(), "{text}");
}

#[test]
fn docker_is_asked_to_let_the_bridge_through() {
    let Some(lab) = Lab::of_root() else { return };
    nft(DOCKER);
    let before = output_of("nft", "list ruleset");
    let listener = in_network_of(lab.outside(), || TcpListener::bind("192.0.2.2:7000").unwrap());
    for _ in 0..2 {
        let server = lab.start("-p 8080:80", &format!("nc 192.0.2.2 7000 </dev/null; {SERVE}"));
        let _second = lab.start("", "sleep 60");
        assert!(accept_soon(&listener).is_some());
        assert!(in_network_of(lab.outside(), || answer_soon("192.0.2.1:8080")).is_some());
        let rules = output_of("nft", "list chain ip filter DOCKER-USER");
        assert_eq!(rules.matches("coracle0").count(), 2, "once for all containers: {rules}");
        drop(server);
    }
    // Both were killed: the next command takes the rules away.
    assert!(output_of("nft", "list ruleset").contains("coracle0"));
    assert_eq!(lab.run("--network none", "true").status.code(), Some(0));
    support::wait_until("the firewall is as before", lab::LIMIT, || {
        output_of("nft", "list ruleset") == before
    });
}

#[test]
fn rules_in_dockers_chain_go_with_the_last_container() {
    let Some(lab) = Lab::of_root() else { return };
    nft(DOCKER);
    let before = output_of("nft", "list ruleset");
    let output = lab.run("", "true");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    support::wait_until("the firewall is as before", lab::LIMIT, || {
        output_of("nft", "list ruleset") == before
    });
}

#[test]
fn h7_firewall_that_drops_is_named_with_the_way_out() {
    let Some(lab) = Lab::of_root() else { return };
    nft("table inet mine { chain guard { type filter hook forward priority 0; policy drop; }; }");
    let output = lab.run("", "true");
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(said(&output), @r#"
    connections of the container will hang: inet mine guard drops them
    sudo nft 'insert rule inet mine guard iifname "coracle0" counter accept; insert rule inet mine guard oifname "coracle0" counter accept'
    "#);
    let way_out = said(&output);
    let way_out =
        way_out.lines().nth(1).unwrap().strip_prefix("sudo nft ").unwrap().trim_matches('\'').to_owned();
    nft(&way_out);
    let listener = in_network_of(lab.outside(), || TcpListener::bind("192.0.2.2:7000").unwrap());
    let mut container = lab.start("", "nc 192.0.2.2 7000 </dev/null");
    assert!(accept_soon(&listener).is_some());
    assert!(container.host.child().wait().unwrap().success());
    let mut error = String::new();
    container.host.child().stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(error, "");
}

#[test]
fn h7_old_iptables_that_drops_is_named_with_the_way_out() {
    let Some(lab) = Lab::of_root() else { return };
    let Some(iptables) = program("iptables-legacy") else {
        return not_run("iptables-legacy is missing: apt-get install iptables");
    };
    if !support::command(iptables).args(["-P", "FORWARD", "DROP"]).status().unwrap().success() {
        return not_run("this kernel has no legacy iptables");
    }
    insta::assert_snapshot!(said(&lab.run("", "true")), @r"
    connections of the container will hang: FORWARD of iptables-legacy drops them
    sudo iptables-legacy -I FORWARD -i coracle0 -j ACCEPT; sudo iptables-legacy -I FORWARD -o coracle0 -j ACCEPT
    ");
}

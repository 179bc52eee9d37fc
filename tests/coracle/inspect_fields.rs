//! `inspect`: single fields, also those that the document does not have, and volumes.

use serde_json::json;

use crate::inspect::{boat, inspect};
use crate::kit::{Boat, Image, Ran, Started, have};

#[test]
fn fields_that_are_not_written_are_there_all_the_same() {
    let Some(boat) = boat() else { return };
    let options = "--name one --stop-timeout 7 --stop-signal USR1 --ulimit nofile=60:70 --ulimit core=0:-1";
    boat.run(options, &["true"]).ok();
    boat.run("--name two --label a=1", &["true"]).ok();
    let shown = |format: &str, name: &str| Ran::of(&mut boat.command(["inspect", "-f", format, name]));
    for (format, name, expected) in [
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "two", "none"),
        ("{{with .State}}{{if .Health}}x{{end}}{{.Status}}{{end}}", "two", "exited"),
        ("{{.State.Health}} {{json .State.Health}}", "two", "<nil> null"),
        ("{{.Config.StopTimeout}} {{.Config.StopSignal}}.", "one", "7 USR1."),
        ("{{.Config.StopTimeout}} {{.Config.StopSignal}}.", "two", "<nil> ."),
        ("{{.Config.Healthcheck}} {{.Config.Shell}} {{.Config.MacAddress}}.", "two", "<nil> [] ."),
        (
            "{{range .HostConfig.Ulimits}}{{.Name}}={{.Soft}}:{{.Hard}} {{end}}",
            "one",
            "nofile=60:70 core=0:-1 ",
        ),
        ("{{json .HostConfig.Ulimits}}", "two", "[]"),
        ("{{.HostConfig.NanoCPUs}} {{.HostConfig.CPUShares}} {{.HostConfig.CpusetCpus}}.", "two", "0 0 ."),
        ("{{eq .ID .Id}} {{len .ID}} {{.HostConfig.DNS}}", "two", "true 64 []"),
        (
            "{{.Config.Labels.a}} {{.Config.Labels.b}} {{index .Config.Labels \"b\"}}.",
            "two",
            "1 <no value> .",
        ),
        ("{{slice .ID 0 13}} {{.Descriptor}}", "box:1", ""),
    ] {
        let ran = shown(format, name);
        match expected {
            "" => assert!(
                ran.code == 0 && ran.out.starts_with("sha256:") && ran.out.ends_with(" <nil>\n"),
                "{ran:?}"
            ),
            expected => assert_eq!(ran.ok(), expected.trim_end(), "{format}"),
        }
    }
    // As Docker says it, which looks into the document at last.
    shown("{{.State.Health.Status}}", "two").failed(1, "map has no entry for key \"Health\"");
    shown("{{.State.Healthy}}", "two").failed(1, "map has no entry for key \"Healthy\"");
    shown("{{.Health}}", "two").failed(1, "map has no entry for key \"Health\"");
    let document = inspect(&boat, "one");
    assert_eq!(document["HostConfig"]["Ulimits"][0], json!({"Name": "nofile", "Hard": 70, "Soft": 60}));
    assert_eq!(document["Config"]["StopTimeout"], 7);
    let document = inspect(&boat, "two");
    assert!(document["State"].get("Health").is_none() && document["Config"].get("StopTimeout").is_none());
}

#[test]
fn volumes_are_found_too_and_last() {
    let Some(boat) = boat() else { return };
    boat.coracle("volume create --label a=1 data").ok();
    let volume = inspect(&boat, "data");
    assert_eq!((&volume["Name"], &volume["Labels"]["a"]), (&json!("data"), &json!("1")));
    assert_eq!(inspect(&boat, "--type volume data"), volume);
    assert_eq!(boat.coracle("volume inspect -f {{.UsageData}} data").ok(), "<nil>");
    boat.run("--name data", &["true"]).ok();
    assert_eq!(inspect(&boat, "data")["Name"], "/data");
    assert_eq!(inspect(&boat, "--type volume data"), volume);
    boat.coracle("inspect --type volume nothing").failed(1, "No such volume: nothing");
    boat.coracle("container inspect -f {{.Mountpoint}} data").failed(1, "Mountpoint");
    let sized = boat.coracle("inspect --size --format {{.Name}} box:1");
    assert!(sized.err.contains("WARNING: --size ignored for image"), "{sized:?}");
    boat.coracle("inspect --type network bridge").failed(1, "network is not part of Coracle");
}

#[test]
fn ports_that_lead_nowhere_are_named_and_the_files_of_the_network_too() {
    let Some(image) = Image::usual() else { return };
    match support::Role::here() {
        support::Role::RootInUserNamespace => {
            return support::not_applicable(support::NotApplicable::NoBridge);
        }
        support::Role::User if !have(&[("pasta", "passt")]) => return,
        _ => {}
    }
    let boat = Boat::holding(&image.set("ExposedPorts", json!({"80/tcp": {}, "53/udp": {}})));
    let mut words = vec!["run", "--name", "runs", "--publish", "127.0.0.1::80", "--expose", "7000-7001"];
    words.extend([&*boat.image, "sh", "-c", "echo started; sleep 1000"]);
    let mut runs = Started::of(&mut boat.command(words));
    let document = inspect(&boat, "runs");
    let ports = document["NetworkSettings"]["Ports"].as_object().unwrap();
    assert_eq!(ports.keys().collect::<Vec<_>>(), ["53/udp", "7000/tcp", "7001/tcp", "80/tcp"]);
    assert!(
        ports["53/udp"].is_null()
            && ports["7000/tcp"].is_null()
            && ports["80/tcp"][0]["HostPort"].is_string()
    );
    let exposed = document["Config"]["ExposedPorts"].as_object().unwrap();
    assert_eq!(exposed.keys().collect::<Vec<_>>(), ports.keys().collect::<Vec<_>>());
    for (key, place, line) in [
        ("ResolvConfPath", "/etc/resolv.conf", "cat"),
        ("HostsPath", "/etc/hosts", "cat"),
        ("HostnamePath", "/etc/hostname", "cat"),
    ] {
        let file = std::fs::read_to_string(document[key].as_str().unwrap()).unwrap();
        assert_eq!(boat.coracle(&format!("exec runs {line} {place}")).out, file, "{key}");
    }
    let format = "{{range $p, $to := .NetworkSettings.Ports}}{{if $to}}{{$p}} {{end}}{{end}}";
    assert_eq!(Ran::of(&mut boat.command(["inspect", "-f", format, "runs"])).ok(), "80/tcp");
    let shown = boat.coracle("inspect -f {{.NetworkSettings.Ports}} runs").ok();
    assert!(shown.starts_with("map[53/udp:[] 7000/tcp:[] 7001/tcp:[] 80/tcp:[map["), "{shown}");
    boat.coracle("kill runs").ok();
    runs.end();
    assert_eq!(inspect(&boat, "runs")["NetworkSettings"]["Ports"], json!({}));
}

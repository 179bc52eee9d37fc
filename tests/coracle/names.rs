//! Names and ids of containers (I3).

use crate::kit::Boat;

#[test]
fn i3_names_have_dockers_grammar() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for name in ["x", "-x", ".x", "_x", "a b", "a/b", "ä", "", "x\n", "a\u{1b}[31m"] {
        let mut command = boat.command(["run", "--rm", &format!("--name={name}"), &boat.image, "true"]);
        let error = crate::kit::Ran::of(&mut command).failed(125, "Invalid container name (");
        assert!(error.contains("only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"), "{error}");
    }
    for name in ["xy", "0.-_", "A1", &"long".repeat(60)] {
        boat.run(&format!("--rm --name {name}"), &["true"]).ok();
    }
    boat.assert_no_container();
}

#[test]
fn i3_name_that_is_taken_is_a_conflict() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name taken", &["true"]).ok();
    let id = boat.coracle("ps --all --quiet --no-trunc").ok();
    let error =
        boat.run("--name taken", &["true"]).failed(125, "Conflict. The container name \"/taken\" is already");
    assert!(error.contains(&format!("in use by container \"{id}\".")), "{error}");
    assert_eq!(boat.coracle("ps --all --quiet --no-trunc").ok(), id);
    boat.coracle("rm taken").ok();
    boat.run("--rm --name taken", &["true"]).ok();
}

#[test]
fn i3_containers_are_found_by_the_beginning_of_their_id() {
    let Some(boat) = Boat::new() else { return };
    // Of seventeen ids two begin alike.
    for _ in 0..17 {
        boat.run("", &["true"]).ok();
    }
    let ids = boat.coracle("ps --all --quiet --no-trunc").ok();
    let ids: Vec<&str> = ids.lines().collect();
    let first = |id: &&&str| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1;
    let prefix = &ids.iter().find(first).unwrap()[..1];
    boat.coracle(&format!("rm {prefix}"))
        .failed(1, &format!("multiple IDs found with provided prefix: {prefix}"));
    boat.coracle(&format!("rm --force {prefix}")).failed(1, "multiple IDs found with provided prefix");
    assert_eq!(boat.coracle("ps --all --quiet").ok().lines().count(), 17);
    boat.coracle(&format!("rm {}", &ids[0][..12])).ok();
    boat.coracle(&format!("rm {}", ids[1])).ok();
    boat.coracle(&format!("rm {}", &ids[2][..63])).ok();
    assert_eq!(boat.coracle("ps --all --quiet").ok().lines().count(), 14);
}

#[test]
fn i3_name_goes_before_the_beginning_of_an_id() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name first", &["true"]).ok();
    let id = boat.coracle("ps --all --quiet").ok();
    boat.run(&format!("--name {}", &id[..4]), &["true"]).ok();
    boat.coracle(&format!("rm {}", &id[..4])).ok();
    assert_eq!(boat.coracle("ps --all --quiet").ok(), id);
    boat.coracle("rm /first").ok();
}

#[test]
fn i3_what_is_not_there_is_said() {
    let Some(boat) = Boat::new() else { return };
    boat.coracle("rm nobody").failed(1, "No such container: nobody");
    let forced = boat.coracle("rm --force nobody");
    assert_eq!((forced.code, &*forced.out), (0, ""));
    assert!(forced.err.contains("No such container: nobody"), "{forced:?}");
    boat.coracle("rm --force ../../etc").code.eq(&0).then_some(()).unwrap();
}

#[test]
fn i3_file_for_the_id_must_be_new() {
    let Some(boat) = Boat::new() else { return };
    let file = boat.path("cid");
    boat.run(&format!("--cidfile {}", file.display()), &["true"]).ok();
    let id = boat.coracle("ps --all --quiet --no-trunc").ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), id);

    std::fs::write(&file, "untouched").unwrap();
    let error =
        boat.run(&format!("--cidfile {}", file.display()), &["true"]).failed(125, "container ID file found");
    assert!(error.contains(&format!("delete {}", file.display())), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "untouched");
    assert_eq!(boat.coracle("ps --all --quiet --no-trunc").ok(), id);

    // A run that never came to be leaves none.
    let missing = boat.path("not/there");
    boat.run(&format!("--cidfile {}", missing.display()), &["true"]).failed(125, "ENOENT");
    let new = boat.path("new");
    boat.run(&format!("--name cid --cidfile {}", new.display()), &["true"]).ok();
    let other = boat.path("other");
    boat.run(&format!("--name cid --cidfile {}", other.display()), &["true"]).failed(125, "Conflict.");
    assert!(!other.exists());
}

#[test]
fn who_gives_no_name_gets_one() {
    let Some(boat) = Boat::new() else { return };
    boat.run("", &["true"]).ok();
    boat.run("", &["true"]).ok();
    let table = boat.coracle("ps --all").ok();
    let names: Vec<_> = table.lines().skip(1).map(|line| line.split_whitespace().last().unwrap()).collect();
    assert!(names.len() == 2 && names[0] != names[1], "{table}");
    boat.coracle(&format!("rm {}", names.join(" "))).ok();
}

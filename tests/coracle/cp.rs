//! `cp`: Docker's rules, and a container that would like them to lead out of it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::signal::{Signal, kill};
use support::wait_until;

use crate::kit::{Boat, Image, LIMIT, Layer, Ran, Started, names};

/// A container that runs, one that has ended, and a folder of the host's with something to copy.
struct Copies {
    boat: Boat,
    running: Started,
    folder: PathBuf,
}

/// What both containers do first.
const PREPARE: &str = "mkdir -p /data/d; echo inside >/data/f; chmod 640 /data/f; ln -s /data/f /lf; ln -s /data /ld; \
                       ln -s /data/none /dangling";

impl Copies {
    fn new(options: &str) -> Option<Self> {
        let boat = Boat::holding(&Image::usual()?);
        let folder = boat.path("host");
        fs::create_dir_all(folder.join("src/sub")).unwrap();
        fs::write(folder.join("file"), "outside\n").unwrap();
        fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(folder.join("src/a"), "a").unwrap();
        fs::hard_link(folder.join("src/a"), folder.join("src/hard")).unwrap();
        symlink("a", folder.join("src/link")).unwrap();
        symlink("/nowhere", folder.join("src/bad")).unwrap();
        let escape = format!("{PREPARE}; ln -s ../../../../../../../../..{} /esc", folder.display());
        boat.run(&format!("--name ended {options}"), &["sh", "-ec", &escape]).ok();
        let mut running =
            boat.start(&format!("--name runs {options}"), &format!("{escape}; echo ready; sleep 1000"));
        assert_eq!(running.line(), "ready");
        Some(Self { boat, running, folder })
    }

    /// `coracle cp WORDS` in the folder; `C` is the container.
    fn cp(&self, container: &str, words: &str) -> Ran {
        let words = words.split(' ').map(|word| match word.strip_prefix("C:") {
            Some(path) => format!("{container}:{path}"),
            None => word.to_owned(),
        });
        let mut all = vec!["cp".to_owned()];
        all.extend(words);
        Ran::of(self.boat.command(all).current_dir(&self.folder))
    }

    /// Names, kinds and owners of what is below a path inside, told by an archive of it.
    fn inside(&self, container: &str, path: &str) -> Vec<String> {
        let output = self.boat.command(["cp", &format!("{container}:{path}"), "-"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut archive = tar::Archive::new(&*output.stdout);
        let mut lines: Vec<_> = archive.entries().unwrap().map(|entry| line(&entry.unwrap())).collect();
        lines.sort();
        lines
    }

    fn end(mut self) {
        self.running.signal(Signal::SIGKILL);
        self.running.end();
    }
}

fn line(entry: &tar::Entry<'_, impl Read>) -> String {
    let header = entry.header();
    let link = entry.link_name().unwrap().map(|link| format!(" -> {}", link.display())).unwrap_or_default();
    let kind = match header.entry_type() {
        tar::EntryType::Directory => 'd',
        tar::EntryType::Symlink => 'l',
        tar::EntryType::Link => 'h',
        tar::EntryType::Fifo => 'p',
        _ => 'f',
    };
    let (mode, uid) = (header.mode().unwrap(), header.uid().unwrap());
    format!("{} {kind} {mode:o} {uid}{link}", entry.path().unwrap().display())
}

/// Docker looks at the image's /proc, which is empty, and says no more than that.
#[test]
fn what_the_kernel_says_is_no_file_and_the_way_to_it_is_named() {
    let Some(copies) = Copies::new("") else { return };
    for (words, path) in [
        ("C:/proc/version out", "/proc/version"),
        ("C:/sys/kernel/profiling out", "/sys/kernel/profiling"),
        ("C:/proc/version -", "/proc/version"),
        ("file C:/proc/sys", "/proc/sys"),
    ] {
        let error =
            copies.cp("runs", words).failed(1, &format!("Could not find the file {path} in container"));
        assert!(
            error.contains("by the command: exec ") && error.contains(&format!(" cat {path}\n")),
            "{error}"
        );
    }
    copies.end();
}

#[test]
fn copies_follow_dockers_rules() {
    let Some(copies) = Copies::new("") else { return };
    // As Docker 20.10 answers to the same words in this order.
    let rows: &[(&str, &str)] = &[
        ("file C:/data/", ""),
        ("file C:/data/new", ""),
        ("file C:/data/none/x", "Could not find the file /data/none in container"),
        ("file C:/data/none/", "no such directory"),
        ("file C:/data/f/", "no such directory"),
        ("file C:/data/d", ""),
        ("src C:/data/src1", ""),
        ("src C:/data/src1", ""),
        ("src/. C:/data/src1", ""),
        ("src/. C:/data/src2", ""),
        ("src C:/data/no/no", "Could not find the file /data/no in container"),
        ("src/ C:/data/d", ""),
        ("src C:/data/f", "cannot copy directory"),
        ("src/. C:/data/f", "cannot copy directory"),
        ("nofile C:/data", "/nofile: no such file or directory"),
        ("file/ C:/data/x", "not a directory"),
        ("C:/nofile .", "Could not find the file /nofile in container"),
        ("C:/data/f/ .", "not a directory"),
        ("C:/data/f out1", ""),
        ("C:/data/f out1", ""),
        ("C:/data/f .", ""),
        ("C:data/f rel", ""),
        ("C:/data/f none/", "no such directory"),
        ("C:/data/f none/x", "/none\" does not exist"),
        ("C:/data/src1 out2", ""),
        ("C:/data/src1 out2", ""),
        ("C:/data/src1/. out3", ""),
        ("C:/data/src1 out1", "cannot copy directory"),
        ("C:/data/src1/. out1", "cannot copy directory"),
        ("C:/lf out4", ""),
        ("-L C:/lf out5", ""),
        ("C:/ld out6", ""),
        ("C:/ld/ out7", ""),
        ("C:/dangling out9", ""),
        ("-L C:/dangling out10", "Could not find the file"),
        ("file C:/dangling", ""),
        ("file C:/ld/q", ""),
        ("-L src/link C:/data/followed", ""),
        ("src/link C:/data/link", ""),
        ("-L src/bad C:/data/bad", "no such file or directory"),
        ("C:/proc/version out", "Could not find the file /proc/version in container"),
        ("- -", "must specify at least one container source"),
        ("file file2", "must specify at least one container source"),
        ("C:/data/f C:/x", "copying between containers is not supported"),
        ("file nobody:/x", "No such container: nobody"),
        ("file :/x", "must specify at least one container source"),
        (" C:/x", "source can not be empty"),
        ("C:/data/f ", "destination can not be empty"),
    ];
    for container in ["runs", "ended"] {
        for (words, text) in rows {
            let ran = copies.cp(container, words);
            match text.is_empty() {
                true => assert_eq!((ran.code, &*ran.err), (0, ""), "cp {words}, {container}: {ran:?}"),
                false => drop(ran.failed(1, text)),
            }
        }
        let src1 = copies.inside(container, "/data/src1");
        assert_eq!(
            src1.iter().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>(),
            [
                "src1/",
                "src1/a",
                "src1/bad",
                "src1/hard",
                "src1/link",
                "src1/src/",
                "src1/src/a",
                "src1/src/bad",
                "src1/src/hard",
                "src1/src/link",
                "src1/src/sub/",
                "src1/sub/",
            ]
        );
        assert!(src1.contains(&"src1/hard h 644 0 -> src1/a".to_owned()), "{src1:?}");
        assert!(src1.contains(&"src1/bad l 777 0 -> /nowhere".to_owned()), "{src1:?}");
        assert_eq!(copies.inside(container, "/data/followed"), ["followed f 644 0"]);
        assert_eq!(copies.inside(container, "/data/link"), ["link l 777 0 -> a"]);
        assert_eq!(copies.inside(container, "/data/none"), ["none f 640 0"]);
        assert_eq!(copies.inside(container, "/data/d").len(), 8);

        let host = |name: &str| copies.folder.join(name);
        assert_eq!(fs::read_to_string(host("out1")).unwrap(), "inside\n");
        assert_eq!(fs::metadata(host("out1")).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::metadata(host("out1")).unwrap().uid(), nix::unistd::geteuid().as_raw());
        assert_eq!(names(&host("out2")), ["a", "bad", "hard", "link", "src", "src1", "sub"]);
        assert_eq!(names(&host("out3")), ["a", "bad", "hard", "link", "src", "sub"]);
        assert_eq!(
            fs::metadata(host("out3/a")).unwrap().ino(),
            fs::metadata(host("out3/hard")).unwrap().ino()
        );
        assert_eq!(fs::read_link(host("out4")).unwrap(), Path::new("/data/f"));
        assert_eq!(fs::read_to_string(host("out5")).unwrap(), "inside\n");
        assert!(host("out6").is_symlink() && host("out7/f").is_file() && host("out9").is_symlink());
        for name in ["out1", "out2", "out3", "out4", "out5", "out6", "out7", "out9", "f", "rel"] {
            let path = host(name);
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            }
            .unwrap();
        }
    }
    copies.boat.coracle("cp").failed(1, "Run 'coracle cp --help'");
    copies.end();
}

#[test]
fn archives_go_in_and_out() {
    let Some(copies) = Copies::new("") else { return };
    for container in ["runs", "ended"] {
        assert_eq!(copies.inside(container, "/data"), ["data/ d 755 0", "data/d/ d 755 0", "data/f f 640 0"]);
        assert_eq!(copies.inside(container, "/data/."), ["./ d 755 0", "d/ d 755 0", "f f 640 0"]);
        assert_eq!(copies.inside(container, "/ld"), ["ld l 777 0 -> /data"]);

        let mut builder = tar::Builder::new(Vec::new());
        let add = |builder: &mut tar::Builder<Vec<u8>>, name: &str, kind, link: &str, content: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o751);
            header.set_mtime(1_700_000_000);
            header.set_size(content.len() as u64);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            if !link.is_empty() {
                header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            }
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        };
        let outside = copies.folder.display().to_string();
        add(&mut builder, "made/deep/file", tar::EntryType::Regular, "", "1");
        add(&mut builder, ".wh.kept", tar::EntryType::Regular, "", "a name as any other");
        // Ways out that archives have tried.
        add(&mut builder, "../../escaped", tar::EntryType::Regular, "", "2");
        add(&mut builder, "leads", tar::EntryType::Symlink, &outside, "");
        let archive = builder.get_ref().clone();
        add(&mut builder, "leads/written", tar::EntryType::Regular, "", "3");
        let escaping = builder.into_inner().unwrap();

        let unpack = |target: &str, archive: &[u8]| -> Ran {
            let mut cp = copies.boat.command(["cp", "-", &format!("{container}:{target}")]);
            let cp = cp.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut cp = cp.spawn().unwrap();
            let _ = cp.stdin.take().unwrap().write_all(archive);
            cp.wait_with_output().unwrap().into()
        };
        unpack("/data/d", &archive).ok();
        let there = copies.inside(container, "/data/d");
        for expected in ["d/made/deep/file f 751 0", "d/.wh.kept f 751 0", "d/escaped f 751 0"] {
            assert!(there.contains(&expected.to_owned()), "no {expected}: {there:?}");
        }
        unpack("/data/d", &escaping).failed(1, "cannot place leads/written");
        assert!(!copies.folder.join("written").exists());
        unpack("/data/f", &archive)
            .failed(1, &format!("destination \"{container}:/data/f\" must be a directory"));
        unpack("/data/nothing", &archive).failed(1, "must be a directory");
        unpack("/data", b"garbage").failed(1, "unexpected end");
        unpack("/data", b"").ok();
    }
    // Nobody reads it to the end.
    let mut cp = copies.boat.command(["cp", "runs:/", "-"]);
    let mut cp = cp.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    cp.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let ran: Ran = cp.wait_with_output().unwrap().into();
    assert_eq!((ran.code, &*ran.err), (0, ""));
    copies.end();
}

#[test]
fn owners_are_kept_only_if_that_is_asked_for() {
    let Some(copies) = Copies::new("") else { return };
    let role = support::Role::here();
    if role == support::Role::RootInUserNamespace {
        copies.end();
        return support::not_applicable(support::NotApplicable::NoSecondId);
    }
    let given = copies.folder.join("given");
    fs::write(&given, "x").unwrap();
    if role == support::Role::Root {
        std::os::unix::fs::chown(&given, Some(1234), Some(1235)).unwrap();
    }
    copies.cp("runs", "given C:/data/plain").ok();
    copies.cp("runs", "-a given C:/data/kept").ok();
    // An ordinary user is root in there.
    let uid = if role == support::Role::Root { 1234 } else { 0 };
    assert_eq!(copies.inside("runs", "/data/plain"), ["plain f 644 0"]);
    assert_eq!(copies.inside("runs", "/data/kept"), [format!("kept f 644 {uid}")]);
    if role == support::Role::Root {
        copies.cp("runs", "-a C:/data/kept back").ok();
        copies.cp("runs", "C:/data/kept ours").ok();
        assert_eq!(fs::metadata(copies.folder.join("back")).unwrap().uid(), 1234);
        assert_eq!(fs::metadata(copies.folder.join("ours")).unwrap().uid(), 0);
    }
    copies.end();
}

#[test]
fn programs_of_the_container_get_no_rights_on_the_host() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["sh", "-c", "cp /bin/busybox /set-id; chmod 6755 /set-id"]).ok();
    let copy = boat.path("copy");
    boat.coracle(&format!("cp one:/set-id {}", copy.display())).ok();
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn volumes_are_seen_and_what_is_read_only_stays_so() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let (volume, file) = (boat.path("volume"), boat.path("file"));
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("there"), "in the volume").unwrap();
    fs::write(&file, "x").unwrap();
    let options = format!("--name one --volume {0}:/rw --volume {0}:/ro:ro --read-only", volume.display());
    boat.run(&options, &["true"]).ok();
    let mut runs = boat.start(&options.replace("one", "runs"), "sleep 1000");
    for container in ["one", "runs"] {
        let cp = |from: &str, to: &str| Ran::of(&mut boat.command(["cp", from, to]));
        let (copy, file) = (boat.path("copy").display().to_string(), file.display().to_string());
        cp(&format!("{container}:/ro/there"), &copy).ok();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "in the volume");
        cp(&file, &format!("{container}:/rw/new")).ok();
        fs::remove_file(volume.join("new")).unwrap();
        cp(&file, &format!("{container}:/ro/new")).failed(1, "mounted volume is marked read-only");
        cp(&file, &format!("{container}:/new")).failed(1, "container rootfs is marked read-only");
    }
    assert_eq!(names(&volume), ["there"]);
    runs.signal(Signal::SIGKILL);
    runs.end();
}

#[test]
fn c20_links_that_are_swapped_while_we_copy_lead_nowhere() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    // A place that only the host has, reached by the same words from in there.
    let (outside, file, into) = (boat.path("outside"), boat.path("file"), boat.path("into"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(&file, "x").unwrap();
    // CVE-2018-15664: at one moment a directory, at the next one a link.
    let line = format!(
        "mkdir -p /a/d /b; echo harmless >/a/d/secret; ln -s {} /b/d; echo ready; sleep 1000",
        outside.display()
    );
    let mut runs = boat.start("--name runs", &line);
    assert_eq!(runs.line(), "ready");
    let (root, ended) =
        (PathBuf::from(format!("/proc/{}/root", runs.container)), Arc::new(AtomicBool::new(false)));
    let swapping = {
        let ended = Arc::clone(&ended);
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let (one, other) = (root.join("a/d"), root.join("b/d"));
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE).unwrap();
                thread::sleep(Duration::from_micros(300));
            }
        })
    };
    let mut reached = 0;
    for round in 0..60 {
        fs::remove_dir_all(&into).ok();
        fs::create_dir(&into).unwrap();
        let inside = format!("runs:/a/d/new{round}");
        reached += i32::from(
            Ran::of(&mut boat.command(["cp".as_ref(), file.as_os_str(), inside.as_ref()])).code == 0,
        );
        let words = ["cp".as_ref(), "runs:/a".as_ref(), into.as_os_str()];
        Ran::of(&mut boat.command(words));
        Ran::of(&mut boat.command([
            "cp".as_ref(),
            "-L".as_ref(),
            "runs:/a/d/secret".as_ref(),
            into.as_os_str(),
        ]));
        for copy in [into.join("a/d/secret"), into.join("secret")] {
            // The link may be copied; what it means on the host was never read.
            if !into.join("a/d").is_symlink() && copy.is_file() {
                assert_eq!(
                    fs::read_to_string(&copy).unwrap(),
                    "harmless\n",
                    "round {round}: {}",
                    copy.display()
                );
            }
        }
        assert_eq!(names(&outside), ["secret"], "round {round}");
    }
    assert!(reached > 0, "the directory was never there");
    ended.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    runs.signal(Signal::SIGKILL);
    runs.end();
}

#[test]
fn c20_container_that_ends_meanwhile_ends_the_copy_as_well() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let line = "dd if=/dev/zero of=/large bs=1M count=64 2>/dev/null; echo large; sleep 1000";
    let mut runs = boat.start("--name runs", line);
    assert_eq!(runs.line(), "large");
    let mut cp = boat.command(["cp", "runs:/large", "-"]);
    let mut cp = cp.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    cp.stdout.as_mut().unwrap().read_exact(&mut [0; 512]).unwrap();
    kill(runs.container, Signal::SIGKILL).unwrap();
    let ran: Ran = cp.wait_with_output().unwrap().into();
    assert_eq!((ran.code, &*ran.err), (0, ""), "what was open stays readable");
    assert_eq!(runs.end().code, 137);
    wait_until("it can be copied from again", LIMIT, || boat.coracle("cp runs:/greeting -").code == 0);
}

#[test]
fn c20_names_and_kinds_that_are_meant_to_hurt() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let line = "mkdir /data; cd /data; touch \"$(printf 'a\\n\\033[2Jb')\" -- -rf; mkfifo fifo; \
                dd if=/dev/null of=holes bs=1M seek=1048576 2>/dev/null; for i in $(seq 300); do mkdir d; cd d; done; touch end; exit 0";
    boat.run("--name one", &["sh", "-c", line]).ok();
    let into = boat.path("into");
    let into = into.display();
    boat.coracle(&format!("cp one:/data {into}")).ok();
    let copied = names(Path::new(&into.to_string()));
    assert_eq!(copied, ["-rf", "a\n\u{1b}[2Jb", "d", "fifo", "holes"]);
    let holes = fs::metadata(format!("{into}/holes")).unwrap();
    assert_eq!((holes.len(), holes.blocks()), (1 << 40, 0));
    assert!(Path::new(&format!("{into}/{}end", "d/".repeat(300))).is_file());
    // Where something else is in the way, it is named; and escaped.
    fs::create_dir(boat.path("other")).unwrap();
    fs::create_dir(boat.path("other/a\n\u{1b}[2Jb")).unwrap();
    let other = boat.path("other");
    boat.coracle(&format!("cp one:/data/. {}", other.display()))
        .failed(1, "cannot overwrite directory \"a\\n\\u{1b}[2Jb\" with non-directory");
    fs::remove_dir_all(into.to_string()).unwrap();
}

/// Docker fills a new volume when the container is made, so what is copied in before the first start comes on top.
#[test]
fn what_is_copied_into_a_new_volume_comes_beside_what_the_image_has() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image.layer(Layer::new().file("data/image", "of the image\n")));
    fs::write(boat.path("mine"), "mine\n").unwrap();
    let image = boat.image.clone();
    let words = [
        "create",
        "--network=none",
        "--name",
        "new",
        "-v",
        "vol:/data",
        &image,
        "cat",
        "/data/image",
        "/data/mine",
    ];
    assert_eq!(Ran::of(&mut boat.command(words)).ok().len(), 64);
    boat.coracle(&format!("cp {} new:/data/", boat.path("mine").display())).ok();
    assert_eq!(boat.coracle("start --attach new").ok(), "of the image\nmine");
}

#[test]
fn places_of_the_host_are_told_from_where_the_user_is() {
    let Some(copies) = Copies::new("") else { return };
    for container in ["ended", "runs"] {
        let here = copies.folder.display();
        let words = "./absent C:/";
        copies.cp(container, words).failed(1, &format!("lstat {here}/absent: no such file or directory"));
        copies
            .cp(container, "C:/data absent/x")
            .failed(1, &format!("directory \"{here}/absent\" does not exist"));
        // The name of what is above is that of the folder there.
        let above = copies.folder.join("src/sub");
        let mut cp = copies.boat.command(["cp", "..", &format!("{container}:/data")]);
        Ran::of(cp.current_dir(above)).ok();
        assert!(copies.boat.coracle(&format!("diff {container}")).ok().contains("A /data/src/sub"));
    }
}

#[test]
fn folder_is_not_copied_into_itself() {
    let Some(boat) = Image::usual().map(|image| Boat::holding(&image)) else { return };
    let folder = boat.path("host");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("file"), "content").unwrap();
    boat.run(&format!("--name box -v {}:/mounted", folder.display()), &["true"]).ok();
    let cp = |from: &Path, to: &str| Ran::of(&mut boat.command(["cp", &from.to_string_lossy(), to]));
    let told = cp(&folder, "box:/mounted/sub");
    assert_eq!((told.code, &*told.err), (0, "sub/host is left out: the copies go there\n"), "{told:?}");
    assert_eq!(names(&folder.join("sub/host")), ["file", "sub"]);
    // The container's own files are below: all of the state is.
    let told = cp(&boat.path("."), "box:/all");
    assert!(told.code == 0 && told.err.contains(" is left out: the copies go there\n"), "{told:?}");
    let files = boat.root().join("containers").join(boat.coracle("ps -aq --no-trunc").ok());
    cp(&files, "box:/more").failed(1, "cannot copy a container's files into that container");
}

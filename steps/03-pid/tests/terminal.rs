//! A shared terminal: what it sends reaches the command once.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use common::{LIMIT, end, step03, walls};
use support::{not_run, program, wait_until};

/// Runs a command as the leader of a terminal of its own; after it has said `runs` or `paused`, the
/// keys are pressed, or the terminal is closed if there are none. Prints what appears on the
/// terminal.
///
/// While the keys are pressed, as many of step 03's own processes as asked are stopped, and go on
/// a moment later: a signal that is passed on then cannot melt into the one that the terminal sent.
const TERMINAL: &str = r#"
import os, pty, signal, sys, time
signal.alarm(60)
keys, stopped = sys.argv[1].encode().decode("unicode_escape").encode(), int(sys.argv[2])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
said = b""
while b"runs" not in said and b"paused" not in said:
    said += os.read(terminal, 1024)
time.sleep(0.2)
if not keys:
    os.close(terminal)
else:
    own = [pid]
    while len(own) < stopped:
        own += [int(open(f"/proc/{own[-1]}/task/{own[-1]}/children").read().split()[0])]
    for each in own[:stopped]:
        os.kill(each, signal.SIGSTOP)
    os.write(terminal, keys)
    time.sleep(0.2)
    for each in own[:stopped]:
        os.kill(each, signal.SIGCONT)
    try:
        while more := os.read(terminal, 1024):
            said += more
    except OSError:
        pass
print(said.decode().replace("\r", ""), end="")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

fn at_a_terminal(keys: &str, stopped: usize, program: &Command) -> Option<Command> {
    let python = support::program("python3")?;
    let mut command = support::command(python);
    command
        .args(["-c", TERMINAL, keys, &stopped.to_string()])
        .arg(program.get_program())
        .args(program.get_args());
    Some(command)
}

/// Counts a signal for a second, then tells how often it came.
fn count(signal: &str) -> String {
    format!(
        "n=0; trap 'n=$((n+1))' {signal}; echo runs; \
         i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; echo {signal} came $n times"
    )
}

#[test]
fn a_key_arrives_once() {
    for (last, own) in [(&[][..], 1), (&["--init"], 2)] {
        for (key, signal) in [("\\x03", "INT"), ("\\x1c", "QUIT")] {
            let command = step03(&[last, &["sh", "-c", &count(signal)]].concat());
            let Some(mut terminal) = at_a_terminal(key, own, &command) else {
                return not_run("python3 is missing: apt-get install python3");
            };
            let said = end(&mut terminal).stdout;
            assert!(said.ends_with(&format!("{signal} came 1 times\n")), "{last:?}: {said}");
        }
    }
}

#[test]
fn a_key_during_creation_ends_the_container() {
    let command = walls(&["host:pause", "--", "echo", "hello"]);
    let Some(mut terminal) = at_a_terminal("\\x03\\n", 0, &command) else {
        return not_run("python3 is missing: apt-get install python3");
    };
    let end = end(&mut terminal);
    assert_eq!(end.code, 130, "{end:?}");
    assert!(!end.stdout.contains("hello"));
}

/// A file that the command writes into when its terminal is gone.
fn file(name: &str) -> PathBuf {
    env::temp_dir().join(format!("coracle-terminal-{}-{name}", process::id()))
}

#[test]
fn a_closed_terminal_is_told_to_the_command_once() {
    for (leader, name) in [(true, "leader"), (false, "member")] {
        let file = file(name);
        let script = format!(
            "n=0; trap 'n=$((n+1))' HUP; echo runs; i=0; \
             while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; echo $n >{}",
            file.display()
        );
        let command = step03(&["sh", "-c", &script]);
        // The leader of a session is told that its terminal is gone; the others, when it ends.
        let mut shell = support::command("sh");
        shell.args(["-c", if leader { "exec \"$@\"" } else { "\"$@\"; true" }, "sh"]);
        shell.arg(command.get_program()).args(command.get_args());
        let Some(mut terminal) = at_a_terminal("", 0, &shell) else {
            return not_run("python3 is missing: apt-get install python3");
        };
        end(&mut terminal);
        wait_until("the command tells how often", LIMIT, || {
            fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
        });
        let times = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(times, "1\n", "step 03 is the session's {name}");
    }
}

#[test]
fn a_shell_inside_has_job_control() {
    let Some(bash) = program("bash") else { return not_run("bash is missing: apt-get install bash") };
    let bash = bash.to_str().unwrap();
    for last in [&[][..], &["--init"]] {
        let script = format!("{bash} --norc -i -c 'echo runs; sleep 0.1 & fg'");
        let command = step03(&[last, &["sh", "-c", &script]].concat());
        let Some(mut terminal) = at_a_terminal("\\n", 0, &command) else {
            return not_run("python3 is missing: apt-get install python3");
        };
        let said = end(&mut terminal);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!said.stdout.contains("job control"), "{said:?}");
    }
}

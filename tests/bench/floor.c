/* The floor: what a container of step 04 costs when nothing but its system calls is left.
 *
 *     floor ROOTFS PROGRAM
 *
 * The same calls in the same order as `step04 --rootfs ROOTFS -- PROGRAM`, by hand, without a check that
 * costs no call. tests/bench/run counts the calls of both and tells if they have drifted apart.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECURSIVE 0x8000 /* AT_RECURSIVE */
#define INERT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int must(long result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(125);
    }
    return (int)result;
}

/* A new mount of this type, not attached yet. */
static int new_mount(const char *type, const char *options[][2], unsigned attributes) {
    int context = must(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), "fsopen");
    must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", type, 0), "fsconfig");
    for (; options && (*options)[0]; options++)
        must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0), "fsconfig");
    must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
    int mount = must(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), "fsmount");
    close(context);
    return mount;
}

static int copy(int folder, const char *path) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | RECURSIVE | (*path ? 0 : AT_EMPTY_PATH);
    return must(syscall(SYS_open_tree, folder, path, flags), "open_tree");
}

static void set_read_only(int mount) {
    struct mount_attr wanted = {.attr_set = MOUNT_ATTR_RDONLY};
    must(syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | RECURSIVE, &wanted, sizeof wanted), "mount_setattr");
}

static void attach(int mount, int target) {
    must(syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), "move_mount");
}

static void attach_and_close(int mount, int target) {
    attach(mount, target);
    close(target);
    close(mount);
}

static int inside(int root, const char *path, int flags) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static int directory(int root, const char *path) {
    struct stat status;
    int folder = must(inside(root, path, O_NOFOLLOW), path);
    fstat(folder, &status);
    return folder;
}

static void mount_dev(int root) {
    static const char *links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
                                     {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};
    static const char *folders[] = {"pts", "shm", "mqueue"};
    static const char *nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    struct stat status;
    int target = directory(root, "/dev");
    int dev = new_mount("tmpfs", (const char *[][2]){{"mode", "755"}, {"size", "65536"}, {0}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    for (int i = 0; i < 3; i++)
        must(mkdirat(dev, folders[i], 0755), "mkdirat");
    for (int i = 0; i < 5; i++)
        must(symlinkat(links[i][0], dev, links[i][1]), "symlinkat");
    attach(dev, target);
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/%s", nodes[i]);
        int node = copy(AT_FDCWD, path);
        fstat(node, &status);
        attach_and_close(node, must(openat(dev, nodes[i], O_CREAT | O_EXCL | O_CLOEXEC, 0666), "openat"));
    }
    int pts = must(openat(dev, "pts", O_PATH | O_DIRECTORY | O_CLOEXEC), "pts");
    attach_and_close(new_mount("devpts", (const char *[][2]){{"ptmxmode", "666"}, {"mode", "620"}, {"gid", "5"}, {0}},
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), pts);
    close(dev);
    close(target);
}

static void mount_shm(int root) {
    struct stat status;
    struct statfs system;
    int shm = new_mount("tmpfs", (const char *[][2]){{"mode", "1777"}, {"size", "67108864"}, {0}}, INERT);
    fstat(shm, &status);
    int target = must(inside(root, "/dev/shm", 0), "/dev/shm");
    fstat(target, &status);
    fstat(root, &status);
    fstatfs(target, &system);
    attach_and_close(shm, target);
}

static void mask(int root) {
    static const char *hidden[] = {
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
        "/sys/firmware"};
    static const char *frozen[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    struct stat status;
    for (int i = 0; i < 12; i++) {
        int target = inside(root, hidden[i], O_NOFOLLOW), cover;
        if (target < 0)
            continue;
        fstat(target, &status);
        if (S_ISDIR(status.st_mode)) {
            cover = new_mount("tmpfs", (const char *[][2]){{"mode", "755"}, {0}}, 0);
        } else {
            cover = copy(AT_FDCWD, "/dev/null");
            fstat(cover, &status);
        }
        set_read_only(cover);
        attach_and_close(cover, target);
    }
    for (int i = 0; i < 5; i++) {
        int target = inside(root, frozen[i], O_NOFOLLOW);
        if (target < 0)
            continue;
        int same = copy(target, "");
        set_read_only(same);
        attach_and_close(same, target);
    }
}

static void mount_all(const char *rootfs) {
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    umask(022);
    int place = must(open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), rootfs);
    int root = copy(place, "");
    attach(root, place);
    close(place);

    int proc = new_mount("proc", NULL, INERT);
    attach_and_close(proc, directory(root, "/proc"));
    int sys = new_mount("sysfs", NULL, INERT);
    set_read_only(sys);
    attach_and_close(sys, directory(root, "/sys"));
    mount_dev(root);
    mount_shm(root);
    int mqueue = new_mount("mqueue", NULL, INERT);
    attach_and_close(mqueue, directory(root, "/dev/mqueue"));
    mask(root);

    must(fchdir(root), "fchdir");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount2");
    must(chdir("/"), "chdir");
    close(root);
}

static void hear(int channel) {
    char word[16384];
    if (recv(channel, word, sizeof word, 0) < 2)
        _exit(125);
}

static void arm(int channel) {
    char word;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    recv(channel, &word, 1, MSG_PEEK | MSG_DONTWAIT);
}

static void container(int channel, const char *rootfs, const char *program) {
    arm(channel);
    hear(channel);
    mount_all(rootfs);
    arm(channel);
    send(channel, "ready", 5, MSG_NOSIGNAL);
    hear(channel);
    arm(channel);
    syscall(SYS_close_range, 3, channel - 1, 0);
    syscall(SYS_close_range, channel + 1, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Whether the program is the one that starts it, by a link in /proc.
    struct open_how look = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    syscall(SYS_openat2, AT_FDCWD, program, &look, sizeof look);
    execve(program, (char *[]){(char *)program, NULL}, (char *[]){"PATH=/bin", NULL});
    must(-1, program);
}

int main(int count, char **words) {
    if (count != 3)
        return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal = must(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
    int ends[2], pidfd = -1, status;
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    struct clone_args args = {.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID,
                              .pidfd = (unsigned long)&pidfd, .exit_signal = SIGCHLD};
    int pid = must(syscall(SYS_clone3, &args, sizeof args), "clone3");
    if (pid == 0) {
        close(ends[0]);
        container(ends[1], words[1], words[2]);
    }
    close(ends[1]);
    struct pollfd ready[2] = {{ends[0], POLLIN, 0}, {signal, POLLIN, 0}};
    send(ends[0], "go", 2, MSG_NOSIGNAL);
    char text[16384];
    poll(ready, 2, -1);
    recv(ends[0], text, 1, MSG_PEEK | MSG_DONTWAIT);
    hear(ends[0]);
    send(ends[0], "go", 2, MSG_NOSIGNAL);
    poll(ready, 2, -1);
    recv(ends[0], text, 1, MSG_PEEK | MSG_DONTWAIT);
    if (recv(ends[0], text, sizeof text, 0) > 0)
        return 125;
    close(ends[0]);
    ready[0].fd = pidfd;
    poll(ready, 2, -1);
    waitpid(pid, &status, 0);
    close(pidfd);
    close(signal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

"""What tests/bench/run measures: ours and the others, in groups."""

import json
import os
import pwd
import resource
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
TOOLS = TREE / "target/tools"
DOCKERD = TOOLS / "usr/sbin/dockerd"
PODMAN = TOOLS / "usr/bin/podman"
IMAGE = "bench"


@dataclass
class Subject:
    name: str
    command: list
    user: str = ""


@dataclass
class Wish:
    """A ratio that is told, and what it should be."""

    what: str
    against: str
    most: float | None = None


@dataclass
class Group:
    folder: Path
    asked: int | None = None
    title: str = ""
    rounds: int = 100
    warm_up: int = 5
    syncs: bool = False
    memory: dict = field(default_factory=dict)
    most_memory: dict = field(default_factory=dict)
    subjects: list = field(default_factory=list)
    wishes: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def add(self, name, command, user=""):
        """`ROUND` in a command is the number of the round."""
        self.subjects.append(Subject(name, [str(word) for word in command], user))

    def needs(self, program, package):
        if shutil.which(program):
            return True
        self.notes.append(f"not measured: {program} is missing: apt-get install {package}")
        return False

    def prepare(self):
        """Makes ready what is measured."""

    def close(self):
        """Ends what prepare has started."""


def groups(folder, only, rounds):
    kinds = {"step04": Step04, "none": NoNetwork, "bridge": Bridge, "rootless": Rootless, "many": Many,
             "exec": Exec, "ps": Ps, "pull": Pull, "again": PullAgain}
    return [kind(folder, rounds) for name, kind in kinds.items() if not only or name in only]


class Step04(Group):
    """A root file system, and nothing else: beside the bare system calls, and beside bubblewrap."""

    def prepare(self):
        self.title, self.rounds = "step 04: a command in another root", 300
        root = busybox_root(self.folder / "root")
        floor = self.folder / "floor"
        subprocess.run(["cc", "-O2", "-o", floor, HERE / "floor.c"], check=True)
        step04 = TREE / "target/release/step04"
        self.add("floor.c", [floor, root, "/bin/true"])
        self.add("step04", [step04, "--rootfs", root, "--", "/bin/true"])
        if self.needs("bwrap", "bubblewrap"):
            self.add("bwrap", ["bwrap", "--unshare-all", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"])
        self.wishes = [Wish("step04", "floor.c", 1.5), Wish("step04", "bwrap", 1.0)]
        self.notes += drift(self.subjects[0].command, self.subjects[1].command)


class Images(Group):
    """Those that run an image: the same one for all, out of our own store. It is `host-tools` under another name:
    under its own, each run would first look whether the machine's tools have changed, as no other image needs."""

    def coracle(self, *words):
        return [self.folder / "coracle", "--root", self.folder / "store", "run", "--rm", *words, IMAGE, "true"]

    def prepare_image(self):
        coracle = self.folder / "coracle"
        if not coracle.exists():
            shutil.copy(TREE / "target/release/coracle", coracle)
            shutil.copy(TREE / "target/release/coracle-monitor", self.folder / "coracle-monitor")
        bring(coracle, self.folder / "store")
        self.notes.append(f"the image: {IMAGE}, {size(self.folder / 'store/blobs') / 1e6:.0f} MB")

    def reference(self):
        return f"docker.io/library/{IMAGE}:latest"


def bring(coracle, store, prefix=()):
    """The image, in this store, unpacked."""
    run = [*prefix, coracle, "--root", store, "run", "--rm", "--network", "none"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*run, "host-tools", "true"], **quiet)
    name = f"oci:{store}:docker.io/library/"
    subprocess.run([*prefix, "skopeo", "copy", "--quiet", f"{name}host-tools:latest", f"{name}{IMAGE}:latest"], **quiet)
    subprocess.run([*run, IMAGE, "true"], **quiet)


class NoNetwork(Images):
    """Beside runtimes that get the image unpacked, and unpack nothing themselves."""

    def prepare(self):
        self.title, self.rounds = "coracle run --rm --network none IMAGE true", 100
        self.prepare_image()
        self.add("coracle", self.coracle("--network", "none"))
        if not self.needs("umoci", "umoci"):
            return
        bundle = self.folder / "bundle"
        if not bundle.exists():
            image = f"{self.folder}/store:{self.reference()}"
            subprocess.run(["umoci", "--log", "error", "unpack", "--image", image, bundle], check=True)
            configure(bundle / "config.json")
        for runtime in ("crun", "runc"):
            if self.needs(runtime, runtime):
                self.add(runtime, [runtime, "run", "--bundle", bundle, f"bench-{runtime}"])
        self.wishes = [Wish("coracle", "crun", 1.0), Wish("coracle", "runc")]


class Docker:
    """Docker's daemon with everything of its own, for those groups that measure it."""

    daemon = None

    def start_docker(self):
        if not DOCKERD.exists():
            self.notes.append("not measured: docker.io and containerd could not be downloaded")
            return
        own = self.docker_folder()
        own.mkdir(exist_ok=True)
        path = f"{TOOLS}/usr/sbin:{TOOLS}/usr/bin:{os.environ['PATH']}"
        words = ["dockerd", "--host", f"unix://{own}/sock", "--data-root", own / "data", "--exec-root", own / "exec",
                 "--pidfile", own / "pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        with open(own / "log", "w") as log:
            self.daemon = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "PATH": path}, executable=DOCKERD)
        version = ["docker", "--host", f"unix://{own}/sock", "version", "--format", "{{.Server.Version}}"]
        for _ in range(200):
            answer = subprocess.run(version, capture_output=True, text=True)
            if answer.returncode == 0:
                self.notes.append(f"Docker {answer.stdout.strip()}")
                return
            time.sleep(0.1)
        self.notes.append(f"not measured: dockerd did not start: {(own / 'log').read_text()[-300:]}")
        Docker.close(self)

    def close(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()
            self.daemon = None
            subprocess.run(["umount", "--all-targets", "--recursive", "--lazy", self.docker_folder() / "data"], capture_output=True)

    def docker_folder(self):
        return self.folder / "docker"

    def docker(self):
        return ["docker", "--host", f"unix://{self.docker_folder()}/sock"]

    def load_image(self):
        """The image of our store, in Docker's. False without Docker, which is told."""
        if not self.needs("skopeo", "skopeo") or not self.needs("docker", "docker.io"):
            return False
        self.start_docker()
        if not self.daemon:
            return False
        archive = self.folder / "image.tar"
        source = f"oci:{self.folder}/store:{self.reference()}"
        subprocess.run(["skopeo", "copy", "--quiet", source, f"docker-archive:{archive}:{IMAGE}:latest"], check=True)
        subprocess.run([*self.docker(), "load", "--quiet", "--input", archive], check=True, stdout=subprocess.DEVNULL)
        archive.unlink()
        return True


class Bridge(Docker, Images):
    """With a network of its own, beside Docker and Podman without one."""

    def prepare(self):
        self.title, self.rounds = "coracle run --rm IMAGE true, on a bridge", 40
        self.prepare_image()
        self.add("coracle, bridge", self.coracle())
        self.wishes = [Wish("coracle, bridge", "docker, no network", 0.1)]
        if self.load_image():
            docker = self.docker()
            self.add("docker, no network", [*docker, "run", "--rm", "--network", "none", IMAGE, "true"])
        self.add_podman()

    def add_podman(self):
        """Without cgroups, which is less than all others do: its runtime filters devices by a program for the kernel,
        and root of a virtual machine may not be allowed to lock the memory for it. For the same reason the limits."""
        if not PODMAN.exists() or not self.needs("crun", "crun") or not self.needs("skopeo", "skopeo"):
            self.notes.append("not measured: podman could not be downloaded")
            return
        own = self.folder / "podman"
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        podman = [PODMAN, "--root", own / "data", "--runroot", own / "run", "--storage-driver", "overlay",
                  "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "crun",
                  "--network-config-dir", own / "networks"]
        # Podman's last act is done by another podman, which conmon starts; it finds conmon only here.
        os.environ["PATH"] += f":{TOOLS}/usr/bin"
        source = f"oci:{self.folder}/store:{self.reference()}"
        subprocess.run(["skopeo", "copy", "--quiet", source, f"oci-archive:{own}.tar:{IMAGE}:latest"], check=True)
        loaded = subprocess.run([*podman, "load", "--quiet", "--input", f"{own}.tar"], capture_output=True, text=True)
        version = subprocess.run([PODMAN, "--version"], capture_output=True, text=True).stdout.strip()
        if loaded.returncode:
            self.notes.append(f"not measured: {version} did not load the image: {loaded.stderr.strip()}")
            return
        self.notes.append(f"{version}, with crun and without cgroups")
        limits = ["--ulimit", f"nofile={most}:{most}", "--ulimit", "nproc=4096:4096"]
        name = loaded.stdout.split()[-1]
        words = ["run", "--rm", "--cgroups=disabled", *limits, "--network", "none", name, "true"]
        self.add("podman, no network", [*podman, *words])
        self.wishes.append(Wish("coracle, bridge", "podman, no network"))


class Running(Docker, Images):
    """With one container in the background of each."""

    def start_both(self):
        self.prepare_image()
        self.ours = [self.folder / "coracle", "--root", self.folder / "store"]
        words = ["run", "--detach", "--network", "none", "--name", "runs", IMAGE, "sleep", "1000"]
        subprocess.run([*self.ours, *words], check=True, stdout=subprocess.DEVNULL)
        if self.load_image():
            subprocess.run([*self.docker(), *words], check=True, stdout=subprocess.DEVNULL)

    def close(self):
        for tool in [self.ours, *([self.docker()] if self.daemon else [])]:
            subprocess.run([*tool, "rm", "--force", "runs"], stdout=subprocess.DEVNULL)
        super().close()


class Exec(Running):
    """One more command in a container."""

    def prepare(self):
        self.title, self.rounds = "exec CONTAINER true", 60
        self.start_both()
        self.add("coracle", [*self.ours, "exec", "runs", "true"])
        if self.daemon:
            self.add("docker", [*self.docker(), "exec", "runs", "true"])
        self.wishes = [Wish("coracle", "docker", 0.2)]


class Ps(Running):
    """A list of one container."""

    def prepare(self):
        self.title, self.rounds = "ps", 100
        self.start_both()
        self.add("coracle", [*self.ours, "ps"])
        self.add("coracle --version", [self.folder / "coracle", "--version"])
        if self.daemon:
            self.add("docker", [*self.docker(), "ps"])
        self.wishes = [Wish("coracle", "docker", 1.0), Wish("coracle", "coracle --version")]


class Rootless(Images):
    """The same as an ordinary user and as root."""

    def prepare(self):
        self.title, self.rounds = "rootless beside root: coracle run --rm --network none IMAGE true", 100
        self.prepare_image()
        self.add("coracle, root", self.coracle("--network", "none"))
        user = ordinary_user()
        if not user:
            self.notes.append("not measured: no ordinary user with subordinate ids: tests/run --may-change-host makes one")
            return
        store = self.folder / "user-store"
        store.mkdir()
        shutil.chown(store, user, user)
        bring(self.folder / "coracle", store, ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"])
        command = [self.folder / "coracle", "--root", store, "run", "--rm", "--network", "none", IMAGE, "true"]
        self.add("coracle, rootless", command, user)
        self.wishes = [Wish("coracle, rootless", "coracle, root", 2.0)]


class Registry(Images):
    """Those that need a registry on loopback, with images of five layers and 300 MB of this machine's own files."""

    registry = None
    ground = None
    NAME = "127.0.0.1:5098/big"

    def prepare_registry(self, images):
        for program, package in (("docker-registry", "docker-registry"), ("skopeo", "skopeo"), ("umoci", "umoci")):
            if not self.needs(program, package):
                return False
        self.prepare_ground()
        layout = self.ground / "big"
        unpacked = big_images(layout, images)
        packed = size(layout / "blobs") / images / 1e6
        self.notes.append(f"the image: 5 layers, {unpacked / 1e6:.0f} MB, compressed {packed:.0f} MB")
        config = self.ground / "registry.yml"
        config.write_text(f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 127.0.0.1:5098}}\n"
                          f"storage: {{filesystem: {{rootdirectory: {self.ground}/registry}}}}\n")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.registry = subprocess.Popen(["docker-registry", "serve", config], **quiet)
        return all(self.push(f"oci:{layout}:{number}", f"docker://{self.NAME}:{number}") for number in range(images))

    def push(self, source, target):
        words = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", source, target]
        for _ in range(50):
            answer = subprocess.run(words, capture_output=True, text=True)
            if answer.returncode == 0:
                return True
            time.sleep(0.1)
        self.notes.append(f"not measured: docker-registry did not take the image: {answer.stderr}")
        return False

    def prepare_ground(self):
        """A file system of its own. An ext4 looks for a new file's place past all that were deleted in the last minutes
        (recently_deleted in fs/ext4/ialloc.c), which costs seconds where somebody has deleted many."""
        self.ground = self.folder / "ground"
        self.ground.mkdir()
        disk = self.folder / "disk"
        with open(disk, "w") as file:
            file.truncate(24 << 30)
        made = subprocess.run(["mke2fs", "-q", "-t", "ext4", disk], capture_output=True, text=True)
        mounted = made.returncode == 0 and subprocess.run(["mount", "-o", "loop", disk, self.ground], capture_output=True, text=True)
        if not mounted or mounted.returncode:
            why = made.stderr or mounted.stderr
            self.notes.append(f"without a file system of its own, so what others have deleted counts: {why.strip()}")
        shutil.copy(TREE / "target/release/coracle", self.ground / "coracle")

    def close(self):
        super().close()
        if self.registry:
            self.registry.terminate()
            self.registry.wait()
            self.registry = None
        if self.ground:
            subprocess.run(["umount", self.ground], capture_output=True)
            shutil.rmtree(self.ground, ignore_errors=True)
            (self.folder / "disk").unlink(missing_ok=True)
            self.ground = None


class Pull(Registry, Docker):
    """From a registry to trees on the disk. Each round has an image of its own, so that nothing has to be deleted."""

    def prepare(self):
        self.title, self.rounds, self.warm_up, self.syncs = "pull and unpack an image", 5, 1, True
        if not self.prepare_registry((self.asked or self.rounds) + self.warm_up):
            return
        name, both = f"{self.NAME}:ROUND", self.ground / "both-ROUND"
        self.add("coracle", [self.ground / "coracle", "--root", self.ground / "pulled", "pull", "--quiet", name])
        copy = f"skopeo copy --quiet --insecure-policy --src-tls-verify=false docker://{name} oci:{both}/layout:big"
        unpack = f"umoci --log error unpack --image {both}/layout:big {both}/bundle"
        self.add("skopeo + umoci", ["sh", "-c", f"mkdir {both} && {copy} && {unpack}"])
        if self.needs("docker", "docker.io"):
            self.start_docker()
        if self.daemon:
            self.add("docker", [*self.docker(), "pull", "--quiet", name])
        self.wishes = [Wish("coracle", "docker", 0.333), Wish("coracle", "skopeo + umoci", 0.333)]
        self.most_memory = {"coracle": 64}

    def docker_folder(self):
        return self.ground / "docker"

    def close(self):
        Docker.close(self)
        Registry.close(self)


class PullAgain(Registry):
    """What is here already: nothing but a question to the registry."""

    def prepare(self):
        self.title, self.rounds = "pull once more", 100
        if not self.prepare_registry(1):
            return
        command = [self.ground / "coracle", "--root", self.ground / "again", "pull", "--quiet", f"{self.NAME}:0"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.add("coracle", command)
        if self.needs("curl", "curl"):
            address = "http://127.0.0.1:5098/v2/big/manifests/0"
            accept = "Accept: application/vnd.oci.image.manifest.v1+json"
            self.add("curl --head", ["curl", "--silent", "--fail", "--head", "--header", accept, address])
        self.wishes = [Wish("coracle", "curl --head", 2.0)]


def big_images(layout, images):
    """Out of files that are there: no two machines have the same, but all files are real. In each layer of each image
    there is one more, so that no two images share a layer. Returns the size of one in bytes."""
    files = (Path(folder) / name for top in ("/usr/bin", "/usr/lib", "/usr/share")
             for folder, _, names in sorted(os.walk(top)) for name in sorted(names))
    files = (path for path in files if path.is_file() and not path.is_symlink() and path.stat().st_size < 8 << 20)
    words = ["umoci", "--log", "error"]
    subprocess.run([*words, "init", "--layout", layout], check=True)
    for number in range(images):
        subprocess.run([*words, "new", "--image", f"{layout}:{number}"], check=True)
    total = 0
    for layer in range(5):
        archive, length = layout.parent / "layer.tar", 0
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in files:
                tar.add(path, recursive=False, filter=of_root)
                length += path.stat().st_size
                if length >= 60_000_000:
                    break
        for number in range(images):
            with tarfile.open(archive, "a", format=tarfile.PAX_FORMAT) as tar:
                tar.addfile(tarfile.TarInfo(f"image-{number}"))
            subprocess.run([*words, "raw", "add-layer", "--image", f"{layout}:{number}", archive], check=True)
        archive.unlink()
        total += length
    return total


def of_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


class Many(Images):
    """A thousand containers on record: what a command pays for those that have ended."""

    def prepare(self):
        self.title, self.rounds = "coracle ps, with a thousand containers on record", 60
        self.prepare_image()
        coracle, few, many = self.folder / "coracle", self.folder / "few", self.folder / "many"
        run = ["run", "--name", "first", "--network", "none", "host-tools", "true"]
        for store, number in ((few, 500), (many, 1000)):
            subprocess.run([coracle, "--root", store, *run], check=True)
            record(store, number)
        self.add("--version", [coracle, "--version"])
        self.add("ps, 500", [coracle, "--root", few, "ps"])
        self.add("ps, 1000", [coracle, "--root", many, "ps"])
        self.add("ps --all, 1000", [coracle, "--root", many, "ps", "--all"])
        self.wishes = [Wish("ps, 1000", "--version", 4.0), Wish("ps, 1000", "ps, 500", 2.2), Wish("ps --all, 1000", "--version")]


def record(store, number):
    """Copies the record of the only container until there are so many."""
    (first,) = (store / "containers").iterdir()
    config = json.loads((first / "config.json").read_text())
    for count in range(1, number):
        name = f"{count:012x}{0:052}"
        folder = first.with_name(name)
        folder.mkdir()
        for file in ("state.json", "words", "image.json"):
            shutil.copy(first / file, folder)
        (folder / "config.json").write_text(json.dumps({**config, "id": name, "name": f"box{count}"}))
        (store / "ended" / name).touch()


def fetch_docker():
    fetch(DOCKERD, "docker.io", "containerd")


def fetch_podman():
    fetch(PODMAN, "podman", "conmon", "libgpgme11", "libassuan0", "libsubid4")


def fetch(program, *packages):
    """The packages are only unpacked: installed, some would start a daemon."""
    if program.exists() or not shutil.which("apt-get"):
        return
    place = TOOLS / "packages"
    place.mkdir(parents=True, exist_ok=True)
    get = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages]
    if subprocess.run(get, cwd=place).returncode == 0:
        for package in packages:
            for file in place.glob(f"{package}_*.deb"):
                subprocess.run(["dpkg", "-x", file, TOOLS], check=True)


def ordinary_user():
    ranges = Path("/etc/subuid")
    names = [line.split(":")[0] for line in ranges.read_text().splitlines()] if ranges.exists() else []
    known = {entry.pw_name for entry in pwd.getpwall()}
    wanted = ["coracle-test", os.environ.get("SUDO_USER", "")]
    return next((name for name in wanted if name in names and name in known), "")


def busybox_root(root):
    for name in ("bin", "dev", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    (root / "bin/true").symlink_to("busybox")
    return root


def configure(path):
    """Our command, without a terminal; and all devices, since some machines do not let crun load its filter of them."""
    config = json.loads(path.read_text())
    config["process"].update(args=["true"], terminal=False)
    config["linux"]["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    path.write_text(json.dumps(config))


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# Of these floor.c and step04 make equally many.
CALLS = ["clone3", "fsconfig", "fsmount", "fsopen", "mkdirat", "mount", "mount_setattr", "move_mount", "open_tree",
         "openat2", "pivot_root", "recvfrom", "sendto", "symlinkat", "umount2"]


def drift(floor, ours):
    """Says where floor.c no longer does what step04 does."""
    if not shutil.which("strace"):
        return ["strace is missing: whether floor.c makes step04's calls was not looked at"]
    one, other = calls(floor), calls(ours)
    differences = [f"{name} {one.get(name, 0)} against {other.get(name, 0)}" for name in CALLS if one.get(name) != other.get(name)]
    return [f"floor.c has drifted from step04: {', '.join(differences)}"] if differences else []


def calls(command):
    trace = ["strace", "--follow-forks", "--summary-only", "--output", "/dev/stderr", *command]
    lines = subprocess.run(trace, capture_output=True, text=True).stderr.splitlines()
    words = [line.split() for line in lines if line and line.strip()[0].isdigit()]
    return {line[-1]: int(line[3]) for line in words}

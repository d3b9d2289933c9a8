"""Random edit scripts for lib/wim against a simple model; libwim must see the same tree. Run by wim.sh.

    wim.py TOOL SCRIPTS [SEED]

A script is some ten random edits of the last script's result (every tenth begins with a new WIM). Afterwards the model,
our own reader and libwim (wimverify, wimdir --detailed) must agree on names, attributes, descriptors, content, links,
streams, reparse points and reference counts. Some are also applied to a folder, and to an NTFS volume and captured again.
"""
import collections
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys

tool, scripts = sys.argv[1], int(sys.argv[2])
seed = int(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else random.SystemRandom().randrange(1 << 32)
print(f"seed {seed}", flush=True)
rnd = random.Random(seed)
NOTHING = "0" * 40
SDDL = ["-", "O:SYG:SYD:(A;;FA;;;SY)", "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(A;;FR;;;WD)", "O:BAG:BAD:(D;;FW;;;AN)(A;;FA;;;WD)S:(AU;SAFA;FA;;;WD)",
        "O:BAG:BAD:(XA;;FX;;;WD;(@User.a == 1))"]
ATTRIBUTES = [0, 0x20, 0x21, 0x22, 0x26, 0x80]
PLANES = [(0x20, 0x7e), (0xa1, 0x2ff), (0x370, 0x3ff), (0x4e00, 0x9fff), (0xe000, 0xfffd), (0x10000, 0x1ffff),
          (0x20000, 0x2ffff), (0xe0000, 0x10ffff)]


class Node:  # an inode: all names of a file share it
    def __init__(self, kind):
        self.kind, self.content, self.streams = kind, NOTHING, {}
        self.attributes, self.sd, self.tag = 0, None, 0


def fail(text):
    print(f"FAILED: seed {seed}: {text}", file=sys.stderr)
    sys.exit(1)


def run(*words, ok=True):
    words = [w if isinstance(w, bytes) else os.fsencode(w) if w.isascii() else w.encode("utf-8", "surrogatepass") for w in words]
    r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if ok and r.returncode:
        fail(f"{words[:3]}: status {r.returncode}: {r.stderr.decode(errors='replace')}\n{words}")
    return r.stdout


def make_files():
    files = {}
    for i, size in enumerate([0, 1, 7, 100, 4095, 32767, 32768, 32769, 65536, 70001, 250000]):
        for kind in "rt":
            name = f"f{kind}{i}"
            data = rnd.randbytes(size) if kind == "r" else (b"words and words %d " % i * size)[:size]
            with open(name, "wb") as f:
                f.write(data)
            files[name] = hashlib.sha1(data).hexdigest() if data else NOTHING
    return files


counter = 0


def new_name(short=False):
    """Legal for Windows, never equal to another one in case only."""
    global counter
    counter += 1
    out = []
    for _ in range(rnd.choice([1, 2, 5, 5, 20]) if not short else 2):
        low, high = rnd.choice(PLANES)
        c = chr(rnd.randint(low, high))
        if c not in '<>:"|?*/\\':
            out.append(c)
    if rnd.random() < 0.05:
        out.append(chr(rnd.randint(0xd800, 0xdfff)))
    return "".join(out) + f"n{counter}"


def paths(tree, *kinds):
    return [p for p, n in tree.items() if p and n.kind in kinds]


def new_path(tree):
    parents = [p for p in tree if tree[p].kind == "dir" and p.count("\\") < 8]
    parent = rnd.choice(parents)
    return (parent + "\\" if parent else "") + new_name()


def below(tree, path):
    return [p for p in tree if p == path or p.startswith(path + "\\")]


def one_edit(tree, files):
    """-> words for the tool, or None when the die does not fit the tree."""
    what = rnd.choice(["put"] * 4 + ["set", "link", "link", "rm", "mv", "mkdir", "mkdir", "sd", "attr", "stream", "stream",
                                     "unstream", "symlink", "junction", "dirlink", "replace"])
    file, sddl, attributes = rnd.choice(sorted(files)), rnd.choice(SDDL), rnd.choice(ATTRIBUTES)
    plain, anything = paths(tree, "file"), paths(tree, "file", "dir", "link", "dirlink")
    if what in ("put", "replace"):
        if what == "replace" and not plain:
            return None
        path = new_path(tree) if what == "put" else rnd.choice(plain)
        n = tree[path] = Node("file")
        n.content, n.attributes, n.sd = files[file], attributes, sddl
        return ["put", path, file, sddl, hex(attributes)]
    if what in ("symlink", "junction", "dirlink"):
        path = new_path(tree)
        n = tree[path] = Node("link" if what == "symlink" else "dirlink")
        n.tag = 0xa0000003 if what == "junction" else 0xa000000c
        n.attributes, n.sd = (0x400 if what == "symlink" else 0x410), "-"
        return [what, path, "C:\\" + new_name() if what == "junction" else rnd.choice(["..\\", ""]) + new_name()]
    if what == "mkdir":
        path = new_path(tree)
        n = tree[path] = Node("dir")
        n.attributes, n.sd = 0x10, "-"
        return ["mkdir", path]
    candidates = {"set": plain, "link": plain}.get(what, anything)
    if not candidates:
        return None
    path = rnd.choice(candidates)
    n = tree[path]
    if what == "set":
        n.content = files[file]
        return ["set", path, file]
    if what == "link":
        to = new_path(tree)
        tree[to] = n
        return ["link", path, to]
    if what == "rm":
        for p in below(tree, path):
            del tree[p]
        return ["rm", path]
    if what == "mv":
        to = new_path(tree)
        if to.startswith(path + "\\"):
            return None
        for p in below(tree, path):
            tree[to + p[len(path):]] = tree.pop(p)
        return ["mv", path, to]
    if what == "sd":
        n.sd = sddl
        return ["sd", path, sddl]
    if what == "attr":
        n.attributes = attributes & ~0x410 | n.attributes & 0x410
        return ["attr", path, hex(attributes)]
    if what == "stream":
        name = rnd.choice(sorted(n.streams)) if n.streams and rnd.random() < 0.3 else new_name(True)
        n.streams[name] = files[file]
        return ["stream", path, name, file]
    if not n.streams:
        return None
    name = rnd.choice(sorted(n.streams))
    del n.streams[name]
    return ["unstream", path, name]


def text(b):
    return b.decode("utf-8", "surrogatepass")


Seen = collections.namedtuple("Seen", "attributes sd content tag group streams")


def ours(wim):
    seen = {}
    for line in run(tool, wim, "-", "dump").split(b"\n")[:-1]:
        f = [text(x) for x in line.split(b"\t")]
        streams = dict(s.rsplit(":", 1) for s in f[7:])
        seen[f[0]] = Seen(int(f[1], 16), f[2], f[3], int(f[4].split(":")[0], 16), int(f[5]), streams)
    return seen


def libwims(wim):
    """-> the tree and the reference count of every content."""
    seen, counts = {}, {}
    for block in run("wimdir", wim, "--detailed").split(b"-" * 76 + b"\n")[1:]:
        v, streams, content, stream = {}, {}, NOTHING, None
        for line in block.split(b"\n"):
            if line.startswith(b"\t"):
                m = re.match(rb'\tNamed data stream "(.*)":$', line)
                stream = text(m[1]) if m else line.strip()
                continue
            key, _, value = line.partition(b" = ")
            key, value = key.strip().decode("ascii", "replace"), value.strip()
            if key == "Hash":
                h = value[2:].decode()
                if isinstance(stream, str):
                    streams[stream] = h
                elif stream == b"Unnamed data stream:":
                    content = h
            elif key == "Reference Count" and int(value):
                counts[h] = int(value)
            else:
                v.setdefault(key, value)
        path = text(v["Full Path"])[2:-1].replace("/", "\\")
        group = int(v["Link Group ID"], 16) if int(v["Link Count"]) > 1 else 0
        seen[path] = Seen(int(v["Attributes"], 16), v.get("Security Descriptor", b"-").decode(), content,
                          int(v.get("Reparse Tag", b"0"), 16), group, streams)
    return seen, counts


def groups(seen):
    sets = collections.defaultdict(set)
    for path, s in seen.items():
        if s.group:
            sets[s.group].add(path)
    return sorted(sorted(s) for s in sets.values())


def expected(tree, descriptors):
    seen = {}
    names = collections.Counter(id(n) for p, n in tree.items() if p)
    for path, n in tree.items():
        seen[path] = Seen(n.attributes, descriptors[n.sd], n.content, n.tag, id(n) if names[id(n)] > 1 else 0, n.streams)
    return seen


def compare(who, a, b, ignore=lambda path, s: s):
    for path in sorted(a.keys() | b.keys()):
        x, y = a.get(path), b.get(path)
        if x and y and ignore(path, x)._replace(group=0) == ignore(path, y)._replace(group=0):
            continue
        fail(f"{who}: {path!r}:\n  {x}\n  {y}")
    if groups(a) != groups(b):
        fail(f"{who}: links differ: {groups(a)} {groups(b)}")


def check_counts(seen, counts):
    want = collections.Counter()
    for s in seen.values():
        for h in [s.content, *s.streams.values()]:
            if h != NOTHING:
                want[h] += 1
    for h, n in want.items():
        if counts.get(h) != n:
            fail(f"content {h} has {counts.get(h)} references, {n} names and streams use it")


def learn_descriptors():
    """The bytes of each SDDL text, as libwim shows them."""
    found = {"-": "-"}
    for i, sddl in enumerate(SDDL[1:]):
        run(tool, "-", "sd.wim", "new=1", "put", f"x{i}", "fr1", sddl, "0x20")
        found[sddl] = libwims("sd.wim")[0][f"x{i}"].sd
        os.unlink("sd.wim")
    found[None] = "-"
    return found


def check_folder(tree):
    shutil.rmtree("applied", ignore_errors=True)
    run("wimapply", "out.wim", "applied")
    places = collections.defaultdict(set)
    for path, n in tree.items():
        if n.kind != "file":
            continue
        at = b"applied/" + path.replace("\\", "/").encode("utf-8", "surrogatepass")
        with open(at, "rb") as f:
            data = f.read()
        if (hashlib.sha1(data).hexdigest() if data else NOTHING) != n.content:
            fail(f"applied: {path!r} has other content")
        places[os.stat(at).st_ino].add(id(n))
    if any(len(p) > 1 for p in places.values()):
        fail("applied: two files became one")
    shutil.rmtree("applied")


def check_ntfs(want):
    """To an NTFS volume and back: descriptors, streams, links and reparse points survive. False: NTFS-3G refuses."""
    with open("volume", "wb") as f:
        f.truncate(64 << 20)
    run("mkntfs", "-F", "-q", "-s", "512", "volume")
    applied = subprocess.run(["wimapply", "out.wim", "1", "volume"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if applied.returncode == 46:  # input/output error: seen once in some hundred trees, cause not found; counted and said
        os.unlink("volume")
        return False
    if applied.returncode:
        fail(f"NTFS: wimapply: {applied.stderr.decode(errors='replace')}")
    run("wimcapture", "volume", "back.wim", "back", "--compress=none", "--norpfix")
    run("wimverify", "back.wim")
    back = ours("back.wim")

    def comparable(path, s):
        # the volume gives every file a descriptor and an attribute; the root is its own
        return s._replace(attributes=s.attributes & ~0xa0, sd="-" if want[path].sd == "-" else s.sd)

    compare("NTFS", {p: s for p, s in want.items() if p}, {p: s for p, s in back.items() if p}, comparable)
    os.unlink("volume")
    os.unlink("back.wim")
    return True


def main():
    files, tree = make_files(), None
    descriptors, volumes = learn_descriptors(), []
    for number in range(scripts):
        fresh = tree is None or number % 10 == 0
        if fresh:
            root = Node("dir")
            root.attributes = 0x10
            tree = {"": root}
        words = []
        for _ in range(rnd.randint(1, 25)):
            words += one_edit(tree, files) or []
        options = rnd.choice([[], [], ["integrity=1"], ["threads=3"], ["spool=."], ["compression=none"], ["compression=xpress"],
                              ["compression=lzx", "chunk=65536"], ["recompress=1"], ["compression=lzms"], ["solid=1", "solid_chunk=65536"]])
        if os.path.exists("out.wim"):
            os.rename("out.wim", "in.wim")
        source = ["-", "out.wim", "new=1", "compression=lzx"] if fresh else ["in.wim", "out.wim"]
        if fresh:
            options = [o for o in options if not o.startswith("compression")]
        run(tool, *source, *options, *words)
        run("wimverify", "out.wim")
        want, (seen, counts) = expected(tree, descriptors), libwims("out.wim")
        mine = ours("out.wim")
        compare(f"script {number}, our reader", want, mine)
        compare(f"script {number}, libwim", want, seen)
        check_counts(seen, counts)
        if number % 20 == 7:
            check_folder(tree)
        if number % 50 == 9:
            volumes.append(check_ntfs(want))
    if volumes.count(False) * 5 > len(volumes):
        fail(f"NTFS-3G refuses {volumes.count(False)} of {len(volumes)} trees")
    if not all(volumes):
        print(f"left out: {volumes.count(False)} of {len(volumes)} trees: wimapply ended with an input/output error on their NTFS volume")
    print(f"{scripts} scripts: model, our reader and libwim agree")


main()

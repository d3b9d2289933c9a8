#!/usr/bin/env python3
"""Random sequences of servicing operations on the lab's image. After each sequence the verifier must be clean, after
each operation that went well its own effect must be visible; refusals must be refusals, and never change anything that
a later operation sees. The seed is printed: give it again to see the same sequence.

    servicing.py RUN WIM PACKAGES ROOT [SEED [SEQUENCES [LENGTH]]]
"""
import os, random, re, subprocess, sys

run, wim, packages, root = sys.argv[1:5]
seed = int(sys.argv[5]) if len(sys.argv) > 5 else random.SystemRandom().randrange(1 << 32)
sequences = int(sys.argv[6]) if len(sys.argv) > 6 else 3
length = int(sys.argv[7]) if len(sys.argv) > 7 else 30
print("seed", seed, flush=True)

fod = next(f for f in os.listdir(packages) if f.startswith("Lab-OpenTools"))
SSU, APRIL, SEP, OCT = ("windows10.0-kb%s-x64.msu" % n for n in (5005112, 5001384, 5005568, 5006672))
FEATURES = ["SMB1Protocol", "SMB1Protocol-Client", "SMB1Protocol-Server"]
EMPTY = ["Microsoft-Windows-Wordpad", "Microsoft-Windows-Notepad", "Microsoft-Windows-SystemFirewall",
         "Microsoft-Windows-Lab-Module-0001", "Microsoft-Windows-SMB10-MiniRdr", "CmitUpdateAgent"]
LIVE = {"Microsoft-Windows-Wordpad": "wordpad.exe", "Microsoft-Windows-Notepad": "notepad.exe"}
# statuses: done, bad input (refused), does not apply, nothing to do
FINE = {0, 3, 6, 8}


class Image:
    """The image on disk, and what it must look like: refusals leave it as it was."""

    def __init__(self, path, work):
        self.path, self.work, self.n, self.log = path, work, 0, []

    def do(self, *ops, want=FINE):
        out = os.path.join(self.work, "%d.wim" % (self.n + 1))
        args = [run, self.path, "1", "trust=" + root, *ops, "commit", "write=" + out, "reopen", "verify", "info", "packages", "features"]
        p = subprocess.run(args, capture_output=True, text=True)
        self.log.append("%s: %d" % (" ".join(ops), p.returncode))
        if "Sanitizer" in p.stderr or "runtime error" in p.stderr or p.returncode < 0:
            self.fail("a bug", p)
        if p.returncode not in want:
            self.fail("status %d" % p.returncode, p)
        if p.returncode:
            if "error: " not in p.stderr:
                self.fail("a refusal without a cause", p)
            if os.path.exists(out):
                os.unlink(out)
            return None
        if "\nfinding " in p.stdout:
            self.fail("the verifier finds faults", p)
        if self.n:
            os.unlink(self.path)
        self.n += 1
        self.path = out
        return p.stdout

    def fail(self, what, p):
        sys.exit("FAILED (seed %d): %s\n%s\n%s\n%s" % (seed, what, "\n".join(self.log), p.stdout[-3000:], p.stderr))


def installed(text, name):
    return re.search(r"^package %s~\S+ 0x(?:70|60)" % re.escape(name), text, re.M) is not None


def feature(text, name):
    m = re.search(r"^optional %s (\S+)" % re.escape(name), text, re.M)
    return m and m.group(1)


def step(rng, image, removed):
    kind = rng.choice("install install uninstall feature feature empty back cleanup payload repeat reset".split())
    if kind == "install":
        f = rng.choice([SSU, APRIL, SEP, OCT, fod])
        return image.do("install=" + os.path.join(packages, f))
    if kind == "uninstall":
        name = rng.choice(["Package_for_RollupFix", "Microsoft-Windows-SMB1-Package", "Lab-OpenTools-FoD-Package", "CMIT-UpdateAgent-Package",
                           "Microsoft-Windows-Foundation-Package", "Nobody"])
        out = image.do("uninstall=" + name)
        if out and name != "Package_for_RollupFix" and installed(out, name):
            sys.exit("FAILED (seed %d): '%s' is still installed\n%s" % (seed, name, "\n".join(image.log)))
        return out
    if kind == "feature":
        name, on = rng.choice(FEATURES), rng.choice(["on", "off"])
        out = image.do("feature=%s:%s" % (name, on))
        if out and (feature(out, name) == "enabled") != (on == "on"):
            sys.exit("FAILED (seed %d): '%s' is not %s\n%s" % (seed, name, on, "\n".join(image.log)))
        return out
    if kind == "empty":
        name = rng.choice(EMPTY)
        out = image.do("technique=empty-winner", "list.components=" + name, "remove=" + name, "residue")
        if out and "\nleft " in out:
            sys.exit("FAILED (seed %d): '%s' left something\n%s\n%s" % (seed, name, "\n".join(image.log), out[:2000]))
        if out:
            removed.add(name)
        return out
    if kind == "back" and removed:
        name = rng.choice(sorted(removed))
        out = image.do("uninstall=imgbuild-Removal-%s-Package" % name)
        removed.discard(name)
        return out
    if kind == "cleanup":
        out = image.do("cleanup")
        if out and re.search(r"^package \S+ 0x50", out, re.M) and "kept=0 " in out:
            sys.exit("FAILED (seed %d): a superseded package stays\n%s" % (seed, "\n".join(image.log)))
        return out
    if kind == "reset" and rng.random() < 0.3:
        return image.do("reset-base")
    if kind == "payload":
        name = rng.choice(FEATURES)
        if rng.random() < 0.5:
            return image.do("no-payload=" + name)
        return image.do("payload=" + os.path.join(packages, rng.choice([SEP, OCT])))
    # what cleans up once has nothing to do twice
    out = image.do("cleanup", "cleanup")
    if out and not re.search(r"cleaned packages=0 deployments=0 components=0 bytes=0 ", out):
        sys.exit("FAILED (seed %d): cleaning up twice does something\n%s" % (seed, "\n".join(image.log)))
    return out


for number in range(sequences):
    rng = random.Random(seed + number)
    work = os.path.join(os.getcwd(), "s%d" % number)
    os.makedirs(work)
    image, removed, done = Image(wim, work), set(), 0
    for _ in range(length):
        done += step(rng, image, removed) is not None
    # whatever went before: October's update goes on top, and every blob is right
    image.do("install=" + os.path.join(packages, SSU))
    out = image.do("install=" + os.path.join(packages, OCT), "verify-full")
    print("sequence %d: %d of %d operations done, %s" % (number, done, length, "October's update on top" if out else "October's update was there"),
          flush=True)
    for f in os.listdir(work):
        os.unlink(os.path.join(work, f))
print("ok")

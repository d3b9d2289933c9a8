#!/usr/bin/env python3
"""Judge what installing a feature on demand did, with nothing of imgbuild's: values by hivex, trees by libwim.

  real_fod.py effects MANIFEST.xml HIVES     services, search path, firewall rules, events, keys as the manifest says
  real_fod.py store CAB-FOLDER XML-FOLDER TREE HIVES   CBS and COMPONENTS state, manifests, catalogs
  real_fod.py security SDDL < HEX            whether the descriptor is what the text says
  real_fod.py elements MANIFEST.xml...       names of all elements
"""
import glob
import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

ASM = "{urn:schemas-microsoft-com:asm.v3}"


def fail(text):
    sys.exit("FAILED: " + text)


def local(tag):
    return tag.rsplit("}", 1)[-1]


# ---- hives: the text that hivexregedit makes of them ----

def unescape(text):
    return re.sub(r"\\(.)", r"\1", text)


def load(path, prefix):
    out = subprocess.run(["hivexregedit", "--export", "--prefix", prefix, path, "\\"], capture_output=True, check=True,
                         text=True).stdout
    keys, key = {}, None
    for line in out.splitlines():
        if line.startswith("["):
            key = keys.setdefault(line[1 + len(prefix):-1].lstrip("\\").lower(), {})
            continue
        m = re.match(r'^(@|"(?:[^"\\]|\\.)*")=(.*)$', line)
        if not m:
            continue
        name = "" if m.group(1) == "@" else unescape(m.group(1)[1:-1])
        key[name.lower()] = value(m.group(2))
    return keys


def value(text):
    if text.startswith('str(') or text.startswith('"'):
        return unescape(text[text.index('"') + 1:-1])
    if text.startswith("dword:"):
        return int(text[6:], 16)
    kind, data = re.match(r"hex\((\w+)\):(.*)", text).groups()
    raw = bytes.fromhex(data.replace(",", ""))
    if kind in ("1", "2"):
        return raw.decode("utf-16-le").rstrip("\0")
    if kind == "7":
        return [s for s in raw.decode("utf-16-le").split("\0") if s]
    return raw


def expect(have, want, what, show=True):
    if have != want:
        fail("%s is %r, not %r" % (what, have, want))
    if show:
        print("%s = %s" % (what, have if not isinstance(have, bytes) else have.hex()))


# ---- security descriptors ----

RIGHTS = {"FA": 0x1F01FF, "GA": 0x10000000, "GR": 0x80000000, "GX": 0x20000000, "GW": 0x40000000, "KA": 0xF003F, "KR": 0x20019,
          "CC": 1, "DC": 2, "LC": 4, "SW": 8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100, "SD": 0x10000,
          "RC": 0x20000, "WD": 0x40000, "WO": 0x80000}
FLAGS = {"OI": 1, "CI": 2, "NP": 4, "IO": 8, "ID": 16, "SA": 64, "FA": 128}
SIDS = {"BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "SY": "S-1-5-18", "WD": "S-1-1-0", "CO": "S-1-3-0", "AU": "S-1-5-11",
        "IU": "S-1-5-4", "SU": "S-1-5-6"}


def sid_text(raw):
    count = raw[1]
    parts = [int.from_bytes(raw[8 + 4 * i:12 + 4 * i], "little") for i in range(count)]
    return "S-%d-%d%s" % (raw[0], int.from_bytes(raw[2:8], "big"), "".join("-%d" % p for p in parts))


def pairs(text, table):
    return sum({table[text[i:i + 2]] for i in range(0, len(text), 2)})


def parse_sddl(text):
    def sid(t):
        return SIDS.get(t, t)
    owner = re.search(r"O:(S-[\d-]+|..)", text)
    group = re.search(r"G:(S-[\d-]+|..)", text)
    lists = {}
    for kind, flags, entries in re.findall(r"([DS]):([A-Z]*)((?:\([^)]*\))*)", re.sub(r"[OG]:(S-[\d-]+|[A-Z]{2})", "", text)):
        lists[kind] = [(0 if f[0] == "A" else 2, pairs(f[1], FLAGS), int(f[2], 16) if f[2].startswith("0x") else pairs(f[2], RIGHTS),
                        sid(f[5])) for f in (e.split(";") for e in re.findall(r"\(([^)]*)\)", entries))]
        lists[kind + "P"] = "P" in flags
    return owner and sid(owner.group(1)), group and sid(group.group(1)), lists


def parse_binary(raw):
    control = int.from_bytes(raw[2:4], "little")
    at = [int.from_bytes(raw[i:i + 4], "little") for i in (4, 8, 12, 16)]
    lists = {}
    for kind, offset, protected in (("S", at[2], 0x2000), ("D", at[3], 0x1000)):
        if not offset:
            continue
        entries, p = [], offset + 8
        for _ in range(int.from_bytes(raw[offset + 4:offset + 6], "little")):
            size = int.from_bytes(raw[p + 2:p + 4], "little")
            entries.append((raw[p], raw[p + 1], int.from_bytes(raw[p + 4:p + 8], "little"), sid_text(raw[p + 8:p + size])))
            p += size
        lists[kind] = entries
        lists[kind + "P"] = bool(control & protected)
    return at[0] and sid_text(raw[at[0]:]), at[1] and sid_text(raw[at[1]:]), lists


def check_security(raw, sddl, owner, what):
    """owner: who owns it, and its group, where the text does not say"""
    o, g, lists = parse_sddl(sddl)
    want = (o or owner[0], g or owner[1], lists)
    have = parse_binary(raw)
    if have != want:
        fail("the descriptor of %s is %r, not %r" % (what, have, want))
    entries = sum(len(v) for k, v in lists.items() if k in "DS")
    print("%s: owner %s, group %s, %d entries as in its SDDL" % (what, have[0], have[1], entries))


# ---- what a manifest says ----

NUMBERS = {"demand": 3, "auto": 2, "disabled": 4, "win32OwnProcess": 16, "normal": 1}


def effects(manifest, hives):
    root = ET.parse(manifest).getroot()
    system = load(hives + "/SYSTEM", "SYSTEM")
    software = load(hives + "/SOFTWARE", "SOFTWARE")
    sddl = {d.get("name"): d.get("sddl") for d in root.iter(ASM + "securityDescriptorDefinition")}
    for s in root.iter(ASM + "serviceData"):
        key = system["controlset001\\services\\" + s.get("name").lower()]
        name = "Services\\" + s.get("name")
        for value, attribute in (("ImagePath", "imagePath"), ("DisplayName", "displayName"), ("Description", "description"),
                                 ("ObjectName", "objectName")):
            expect(key[value.lower()], s.get(attribute), name + "!" + value)
        for value, attribute in (("Start", "start"), ("Type", "type"), ("ErrorControl", "errorControl")):
            expect(key[value.lower()], NUMBERS[s.get(attribute)], name + "!" + value)
        expect(key["requiredprivileges"], s.get("requiredPrivileges").split(","), name + "!RequiredPrivileges")
        d = s.find(ASM + "securityDescriptor")
        if d is not None:
            raw = system["controlset001\\services\\" + s.get("name").lower() + "\\security"]["security"]
            check_security(raw, sddl[d.get("name")], ("S-1-5-18", "S-1-5-18"), name + "\\Security")
    for p in root.iter(ASM + "path"):
        have = system["controlset001\\control\\session manager\\environment"]["path"]
        expect(have.split(";")[-1], p.get("name"), "the last folder of the search path")
    rules = "controlset001\\services\\sharedaccess\\parameters\\firewallpolicy\\firewallrules"
    for r in root.iter(ASM + "firewallRule"):
        want = "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=%s|App=%s|Name=%s|Desc=%s|EmbedCtxt=%s|" % (
            r.get("lport"), r.get("binary"), r.get("name"), r.get("desc"), r.get("group"))
        expect(system[rules][r.get("internalName").lower()], want, "FirewallRules!" + r.get("internalName"))
    for k in root.iter(ASM + "registryKey"):
        hive, path = re.match(r"HKEY_LOCAL_MACHINE\\(SYSTEM|SOFTWARE)\\(.*)", k.get("keyName"), re.I).groups()
        keys = system if hive.upper() == "SYSTEM" else software
        path = path.lower().replace("currentcontrolset", "controlset001")
        if path not in keys:
            fail("there is no key " + k.get("keyName"))
        print("key " + k.get("keyName"))
    events = "microsoft\\windows\\currentversion\\winevt\\"
    for p in (e for e in root.iter() if local(e.tag) == "provider"):
        key = software[events + "publishers\\" + p.get("guid").lower()]
        expect(key[""], p.get("name"), "WINEVT\\Publishers\\" + p.get("guid"))
        expect(key["resourcefilename"], p.get("resourceFileName"), "its ResourceFileName", False)
        kinds = ["Admin", "Operational", "Analytic", "Debug"]
        for c in (e for e in p.iter() if local(e.tag) == "channel"):
            key = software[events + "channels\\" + c.get("name").lower()]
            expect(key["owningpublisher"].lower(), p.get("guid").lower(), "its OwningPublisher", False)
            expect(key["enabled"], int(c.get("enabled") == "true"), "its Enabled", False)
            expect(key["type"], kinds.index(c.get("type")), "its Type", False)
            expect(key.get("channelaccess"), c.get("access"), "its ChannelAccess", False)
            print("WINEVT\\Channels\\" + c.get("name"))


# ---- state ----

def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def same_bytes(a, b, what):
    if open(a, "rb").read() != open(b, "rb").read():
        fail(what + " is not what the cabinet has")


def package_id(identity):
    language = identity.get("language")
    return "~".join([identity.get("name"), identity.get("publicKeyToken"), identity.get("processorArchitecture"),
                     "" if language == "neutral" else language, identity.get("version")])


def packages(cab, tree, software):
    cbs = "microsoft\\windows\\currentversion\\component based servicing\\"
    ids = {}
    for mum in sorted(glob.glob(cab + "/*~*.mum")):
        root = ET.parse(mum).getroot()
        ids[package_id(root.find(ASM + "assemblyIdentity"))] = (mum, root)
    owner = next(i for i, (_, r) in ids.items() if r.find("%spackage/%sdeclareCapability" % (ASM, ASM)) is not None)
    for i, (mum, root) in ids.items():
        key = software[cbs + "packages\\" + i.lower()]
        expect(key["currentstate"], 0x70, "Packages\\" + i + "!CurrentState")
        expect(key["installname"], i + ".mum", "its InstallName", False)
        expect(key["visibility"], 1 if i == owner else 2, "its Visibility", False)
        expect(list(software[cbs + "packages\\" + i.lower() + "\\owners"]), [owner.lower()], "its Owners", False)
        for u in root.iter(ASM + "update"):
            expect(software[cbs + "packages\\" + i.lower() + "\\updates"][u.get("name")], 0x70, "its update", False)
        index = i.rsplit("~", 1)[0] + "~0.0.0.0"
        expect(list(software[cbs + "packageindex\\" + index.lower()]), [i.lower()], "its index", False)
        for name, source in (("Windows/servicing/Packages/%s.mum", mum), ("Windows/servicing/Packages/%s.cat", mum[:-3] + "cat"),
                             ("Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/%s.cat", mum[:-3] + "cat")):
            same_bytes(os.path.join(tree, name % i), source, name % i)
    print("servicing\\Packages and CatRoot: %d descriptions and their catalogs, byte for byte" % len(ids))
    return ids


def store(cab, xml, tree, hives):
    software = load(hives + "/SOFTWARE", "SOFTWARE")
    components = load(hives + "/COMPONENTS", "COMPONENTS")
    ids = packages(cab, tree, software)
    catalogs = {}
    for i, (mum, root) in ids.items():
        for c in root.iter(ASM + "component"):
            catalogs[c.find(ASM + "assemblyIdentity").get("name")] = digest(mum[:-3] + "cat")
    for path in sorted(glob.glob(cab + "/*.manifest")):
        keyform = os.path.basename(path)[:-len(".manifest")]
        plain = os.path.join(xml, keyform + ".manifest")
        root = ET.parse(plain).getroot()
        identity = root.find(ASM + "assemblyIdentity")
        key = components["deriveddata\\components\\" + keyform.lower()]
        text = "%s, Culture=%s, Version=%s, PublicKeyToken=%s, ProcessorArchitecture=%s, versionScope=NonSxS" % (
            identity.get("name"), identity.get("language"), identity.get("version"), identity.get("publicKeyToken"),
            identity.get("processorArchitecture"))
        expect(key["identity"], text.encode(), "its identity", False)
        expect(key["s256h"].hex(), digest(plain), "COMPONENTS\\..\\" + keyform + "!S256H")
        files = {"f!" + f.get("name").lower() for f in root.iter(ASM + "file")}
        expect({n for n in key if n.startswith("f!")}, files, "its f! values", False)
        links = [n[2:] for n in key if n.startswith("c!")]
        if len(links) != 1 or "canonicaldata\\deployments\\" + links[0] not in components:
            fail("%s has the deployments %r" % (keyform, links))
        same_bytes(os.path.join(tree, "Windows/WinSxS/Manifests", keyform + ".manifest"), path, "the manifest of " + keyform)
        if root.find(ASM + "deployment") is None:
            continue
        deployment = components["canonicaldata\\deployments\\" + links[0]]
        print_ = deployment["catalogthumbprint"]
        expect(print_, catalogs[identity.get("name")], "CatalogThumbprint of " + identity.get("name"))
        expect(digest(os.path.join(tree, "Windows/WinSxS/Catalogs", print_ + ".cat")), print_, "the catalog's hash", False)
        if not any(n.startswith("i!cbs_") for n in deployment) or "canonicaldata\\catalogs\\" + print_ not in components:
            fail("the deployment %s is not installed, or its catalog has no key" % links[0])


def elements(paths):
    names = set()
    for path in paths:
        names |= {local(e.tag) for e in ET.parse(path).iter()}
    print(" ".join(sorted(names)))


if __name__ == "__main__":
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "effects":
        effects(*args)
    elif verb == "store":
        store(*args)
    elif verb == "security":
        check_security(bytes.fromhex(sys.stdin.read()), args[1], ("S-1-5-32-544", "S-1-5-18"), args[0])
    else:
        elements(args)

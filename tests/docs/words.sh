#!/usr/bin/env bash
# Documentation and code use the same words: keys, options, exit statuses, stages, notes and findings are all
# described, what is described exists, every link leads somewhere, every script of ci/ is explained.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$IB_SRC"
python3 - <<'PY'
import glob, os, re, sys

bad = []

def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()

def compare(what, code, docs, where):
    for w in sorted(code - docs):
        bad.append(f"{where}: {what} '{w}' is in the code, not in the page")
    for w in sorted(docs - code):
        bad.append(f"{where}: {what} '{w}' is in the page, not in the code")
    if not code:
        bad.append(f"no {what} found in the code: this test looks in the wrong place")

# keys: the tables of lib/, against the sections and rows of the reference and, for products, of the guide
row = re.compile(r'\{\s*"([^"]+)",\s*"([^"]+)",\s*IB_INI_')
def keys_in(path):
    return {f"[{s}] {k}" for s, k in row.findall(text(path))}

def keys_of_page(page):
    found, section = set(), None
    for line in page.split("\n"):
        m = re.match(r"#+ \[(.+)\]", line)
        if m:
            section = m[1]
        elif line.startswith("## "):
            section = None
        m = re.match(r"\| `([^`]+)` \|", line)
        if m and section:
            found.add(f"[{section}] {m[1]}")
    return found

compare("key", keys_in("lib/profile/keys.c"), keys_of_page(text("docs/profile-keys.md")), "docs/profile-keys.md")
guide = text("docs/guide.md")
for key in keys_in("lib/metadata/products.c"):
    section, name = re.match(r"\[(.+)\] (.+)", key).groups()
    if f"`[{section}] {name}`" not in guide:
        bad.append(f"docs/guide.md: key '{key}' of product manifests is not described")
tables = {p for p in glob.glob("lib/*/*.c") if row.search(text(p))}
if tables != {"lib/profile/keys.c", "lib/metadata/products.c"}:
    bad.append(f"key tables in {sorted(tables)}: tell this test where they are described")

# options: the tables of the tool, against the pages made from them and every option named in a page
option = re.compile(r'\{\s*"([a-z][a-z-]*)",\s*(?:0|\'.\'),')
code = set()
for p in glob.glob("tools/imgbuild/*.c"):
    code |= {"--" + o for o in option.findall(text(p))}
pages = text("docs/commands.md")
compare("option", code | {"--version"}, set(re.findall(r"--[a-z][a-z-]*", pages)) | {"--version"}, "docs/commands.md")
commands = re.findall(r'^\t\{ "([a-z-]+)", "[^"]*", \d', text("tools/imgbuild/main.c"), re.M)
compare("command", set(commands), set(re.findall(r"^## imgbuild (\S+)", pages, re.M)), "docs/commands.md")
for page in glob.glob("docs/*.md"):
    for line in text(page).split("\n"):
        for call in re.findall(r"imgbuild ((?:%s)\b[^`|]*)" % "|".join(commands), line):
            for o in re.findall(r"(?<=\s)--[a-z][a-z-]*", call):
                if o not in code:
                    bad.append(f"{page}: '{o}' in '{call.strip()}' is no option")

# exit statuses: error.h, help, page
enum = {int(n) for n in re.findall(r"IB_ERR_\w+ = (\d+)", text("lib/base/error.h"))} | {0}
helped = {int(n) for n in re.findall(r'^\t\{ (\d+), "', text("tools/imgbuild/help.c"), re.M)}
page = {int(n) for n in re.findall(r"^\| (\d+) \|", text("docs/exit-status.md"), re.M)}
compare("exit status", {str(n) for n in enum}, {str(n) for n in helped}, "imgbuild --help")
compare("exit status", {str(n) for n in enum}, {str(n) for n in page}, "docs/exit-status.md")

# stages, notes and findings: words of documents, described in json.md
json = text("docs/json.md")
def rows_under(title):
    m = re.search(r"^#+ %s$(.*?)(?=^#|\Z)" % re.escape(title), json, re.M | re.S)
    return set(re.findall(r"^\| `([^`]+)` \|", m[1], re.M)) if m else set()

table = re.search(r'struct stage stages\[\] = \{(.*?)\{ NULL \}', text("lib/build/run.c"), re.S)[1]
compare("stage", set(re.findall(r'\{ "([a-z]+)"', table)), rows_under("Stages"), "docs/json.md")
notes, findings = set(), set()
for p in glob.glob("lib/servicing/*.c"):
    s = text(p)
    notes |= set(re.findall(r'ib_svc_note\([^"();]*?"([a-z-]+)"', s))
    notes |= set(re.findall(r'\bid = "([a-z-]+)"', s)) if p.endswith("notes.c") else set()
    notes |= set(re.findall(r'^\t\{ "\w+", "([a-z-]+)", "', s, re.M)) if p.endswith("notes.c") else set()
compare("note", notes, rows_under("Notes"), "docs/json.md")
findings = set(re.findall(r'(?:found|unreadable)\(c, "([a-z-]+)"', text("lib/servicing/verify.c"))) | set(
    re.findall(r'tell\(l, "([a-z-]+)"', text("lib/servicing/driver_verify.c")))
compare("finding", findings, rows_under("Findings"), "docs/json.md")

# JSON members: each name the code writes is in json.md
for p in glob.glob("lib/build/*.c") + ["tools/imgbuild/render.c"]:
    for name in re.findall(r'(?:set_\w+_member|set_text|take_text|json_set_strings)\([^,"]+, "([^"]+)"', text(p)):
        if f"`{name}`" not in json:
            bad.append(f"docs/json.md: member '{name}' of {p} is not described")

# links and scripts
pages = glob.glob("*.md") + glob.glob("docs/**/*.md", recursive=True) + glob.glob("tests/**/*.md", recursive=True)
for page in pages:
    outside = re.sub(r"```.*?```", "", text(page), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", outside):
        if not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(os.path.dirname(page), target)):
            bad.append(f"{page}: the link '{target}' leads nowhere")
    # places in the code, also when they are no links
    places = re.findall(r"\b(?:lib|tests|tools|manifests|profiles)/[\w./-]*\w", outside)
    for place in places if page.startswith("docs") else []:
        if not os.path.exists(place):
            bad.append(f"{page}: there is no '{place}'")
everything = "".join(text(p) for p in pages)
for script in sorted(os.listdir("ci")):
    if not re.search(r"\bci/%s\b" % re.escape(script), everything):
        bad.append(f"ci/{script} is mentioned in no page")

for b in bad:
    print("FAILED:", b, file=sys.stderr)
sys.exit(1 if bad else 0)
PY
echo "documentation and code use the same words"

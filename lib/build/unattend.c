#include "build/internal.h"

#include "xml/xml.h"

/*
 * Stage unattend: the answer file of [unattend], looked at as far as its form is known, put where Setup looks for it;
 * and commands that the profile wants to run after Setup.
 */

#define NAMESPACE "urn:schemas-microsoft-com:unattend"
#define TOKEN "31bf3856ad364e35"
#define PANTHER "Windows\\Panther\\unattend.xml"
#define ON_MEDIA "autounattend.xml"
/* An answer file has some 10 kB, a script less. */
#define UNATTEND_MAX (4u << 20)

static const char *const passes[] = { "windowsPE", "offlineServicing", "generalize", "specialize", "auditSystem",
				      "auditUser", "oobeSystem", NULL };

/* Components that answer files mostly set, and the passes in which Setup reads them: bits of the list above. */
#define PE 1u
#define OFFLINE 2u
#define GENERAL 4u
#define SPECIAL 8u
#define AUDIT 48u
#define OOBE 64u
static const struct {
	const char *name;
	unsigned passes;
} known[] = {
	{ "Microsoft-Windows-Setup", PE },
	{ "Microsoft-Windows-International-Core-WinPE", PE },
	{ "Microsoft-Windows-International-Core", SPECIAL | OOBE },
	{ "Microsoft-Windows-PnpCustomizationsWinPE", PE },
	{ "Microsoft-Windows-PnpCustomizationsNonWinPE", OFFLINE | AUDIT },
	{ "Microsoft-Windows-Shell-Setup", OFFLINE | GENERAL | SPECIAL | AUDIT | OOBE },
	{ "Microsoft-Windows-Deployment", GENERAL | SPECIAL | AUDIT | OOBE },
	{ "Microsoft-Windows-UnattendedJoin", SPECIAL },
	{ "Microsoft-Windows-Security-SPP", GENERAL | SPECIAL },
	{ "Microsoft-Windows-Security-SPP-UX", SPECIAL | OOBE },
	{ "Microsoft-Windows-PnpSysprep", GENERAL },
	{ "Microsoft-Windows-LUA-Settings", OFFLINE },
	{ "Microsoft-Windows-IE-InternetExplorer", SPECIAL },
	{ "Microsoft-Windows-TCPIP", PE | SPECIAL },
	{ "Microsoft-Windows-DNS-Client", PE | SPECIAL },
	{ "Microsoft-Windows-TerminalServices-LocalSessionManager", OFFLINE | GENERAL | SPECIAL },
	{ "Microsoft-Windows-TerminalServices-RDP-WinStationExtensions", OFFLINE | GENERAL | SPECIAL },
	{ "Networking-MPSSVC-Svc", OFFLINE | SPECIAL },
	{ "Microsoft-Windows-SecureStartup-FilterDriver", PE | SPECIAL | OOBE },
	{ "Microsoft-Windows-ErrorReportingCore", SPECIAL },
	{ "Microsoft-Windows-SQMApi", SPECIAL },
};

/* ---- form ---- */

struct check {
	struct build *b;
	const char *path;
	const char *arch; /* of the image */
};

static bool bad(const struct check *c, const struct ib_xml_node *n, struct ib_error **err, const char *fmt, ...)
	IB_PRINTF(4, 5);
static bool bad(const struct check *c, const struct ib_xml_node *n, struct ib_error **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(err, IB_ERR_INPUT, "%s:%u: %s", c->path, ib_xml_line(n), text);
}

static unsigned pass_bit(const char *pass)
{
	for (unsigned i = 0; passes[i]; i++)
		if (strcmp(passes[i], pass) == 0)
			return 1u << i;
	return 0;
}

/* An attribute that must be there and have one of these values. */
static bool must_be(const struct check *c, const struct ib_xml_node *n, const char *name, const char *const *values,
		    struct ib_error **err)
{
	const char *have = ib_xml_attr(n, name);

	for (const char *const *v = values; have && *v; v++)
		if (strcmp(have, *v) == 0)
			return true;
	g_autofree char *list = g_strjoinv("' or '", (char **)values);
	return have ? bad(c, n, err, "%s is '%s', it must be '%s'", name, have, list) :
		      bad(c, n, err, "the component has no %s, it must be '%s'", name, list);
}

static void warn_component(const struct check *c, const struct ib_xml_node *n, const char *name, const char *pass)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		g_ptr_array_add(names, (void *)known[i].name);
		if (strcmp(known[i].name, name) != 0)
			continue;
		if (!(known[i].passes & pass_bit(pass)))
			plan_warn(c->b, "%s:%u: Setup does not read '%s' in pass %s", c->path, ib_xml_line(n), name, pass);
		return;
	}
	g_ptr_array_add(names, NULL);
	const char *near = ib_nearest(name, (const char *const *)names->pdata);
	plan_warn(c->b, "%s:%u: the component '%s' is not known here, so it was not looked at%s%s%s", c->path, ib_xml_line(n), name,
		  near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Passwords go to everybody who has the image: <X><Value>…</Value><PlainText>true|false</PlainText></X>. */
static void warn_passwords(const struct check *c, const struct ib_xml_node *n, unsigned depth)
{
	const char *name = ib_xml_name(n);
	struct ib_xml_node *value = ib_xml_first(n, "Value");
	g_autofree char *text = value ? ib_xml_text(value) : g_str_has_suffix(name, "Password") ? ib_xml_text(n) : NULL;

	if (g_str_has_suffix(name, "Password") && text && *g_strstrip(text))
		plan_warn(c->b, "%s:%u: '%s' stands in the answer file, and so in the image, for everybody to read", c->path,
			  ib_xml_line(n), name);
	for (struct ib_xml_node *k = ib_xml_first(n, NULL); k && depth < 64; k = ib_xml_next(k, NULL))
		warn_passwords(c, k, depth + 1);
}

static bool check_component(const struct check *c, const struct ib_xml_node *n, const char *pass, GHashTable *seen,
			    struct ib_error **err)
{
	const char *const archs[] = { c->arch, "wow64", NULL }, *const tokens[] = { TOKEN, NULL };
	const char *const cultures[] = { "neutral", NULL }, *const scopes[] = { "nonSxS", "NonSxS", NULL };
	const char *name = ib_xml_attr(n, "name");

	if (strcmp(ib_xml_name(n), "component") != 0)
		return bad(c, n, err, "'%s' stands in settings, where components stand", ib_xml_name(n));
	if (!name || !*name)
		return bad(c, n, err, "a component has no name");
	if (!must_be(c, n, "processorArchitecture", archs, err) || !must_be(c, n, "publicKeyToken", tokens, err) ||
	    !must_be(c, n, "language", cultures, err) || !must_be(c, n, "versionScope", scopes, err))
		return ib_while(err, "looking at the component '%s'", name);
	char *id = g_strdup_printf("%s %s %s", pass, name, ib_xml_attr(n, "processorArchitecture"));
	if (!g_hash_table_add(seen, id))
		return bad(c, n, err, "the component '%s' stands twice in pass %s", name, pass);
	warn_component(c, n, name, pass);
	warn_passwords(c, n, 0);
	return true;
}

static bool check_settings(const struct check *c, const struct ib_xml_node *n, GHashTable *seen, struct ib_error **err)
{
	const char *pass = ib_xml_attr(n, "pass");
	char *id;

	if (!pass)
		return bad(c, n, err, "settings without a pass");
	if (!pass_bit(pass)) {
		bad(c, n, err, "'%s' is no pass of Setup", pass);
		const char *near = ib_nearest(pass, passes);
		return near ? ib_hint(err, "did you mean '%s'?", near) : false;
	}
	id = g_strdup(pass);
	if (!g_hash_table_add(seen, id))
		return bad(c, n, err, "pass %s stands twice", pass);
	for (struct ib_xml_node *k = ib_xml_first(n, NULL); k; k = ib_xml_next(k, NULL))
		if (!check_component(c, k, pass, seen, err))
			return false;
	return true;
}

static bool check_document(const struct check *c, const struct ib_xml_node *root, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	unsigned count = 0;

	if (strcmp(ib_xml_name(root), "unattend") != 0 || g_strcmp0(ib_xml_ns(root), NAMESPACE) != 0) {
		bad(c, root, err, "the root element is '%s' of '%s', not an answer file's", ib_xml_name(root),
		    ib_xml_ns(root) ? ib_xml_ns(root) : "no namespace");
		return ib_hint(err, "an answer file begins with <unattend xmlns=\"" NAMESPACE "\">");
	}
	for (struct ib_xml_node *n = ib_xml_first(root, NULL); n; n = ib_xml_next(n, NULL)) {
		const char *name = ib_xml_name(n);
		if (strcmp(name, "settings") == 0) {
			count++;
			if (!check_settings(c, n, seen, err))
				return false;
		} else if (strcmp(name, "offlineImage") != 0) { /* where the editor had its catalog from */
			bad(c, n, err, "'%s' stands in an answer file, where settings stand", name);
			return strcmp(name, "servicing") ? false : ib_hint(err, "packages go through [updates], features through [features]");
		}
	}
	return count ? true : ib_throw(err, IB_ERR_INPUT, "%s: the answer file has no settings", c->path);
}

static bool read_answer(struct build *b, const char *arch, GBytes **ret, struct ib_error **err)
{
	const char *path = ib_ini_text(b->p, "unattend", "file");
	const struct check c = { .b = b, .path = path, .arch = arch };
	ib_auto_xml doc = NULL;

	return ib_file_read(path, UNATTEND_MAX, ret, err) &&
	       ib_xml_parse(g_bytes_get_data(*ret, NULL), g_bytes_get_size(*ret), path, &doc, err) &&
	       check_document(&c, ib_xml_root(doc), err);
}

/* ---- the profile's own script ---- */

static bool read_commands(struct build *b, char **ret, struct ib_error **err)
{
	const char *path = ib_ini_text(b->p, "unattend", "setup-complete");
	g_autoptr(GBytes) bytes = NULL;

	if (!ib_file_read(path, UNATTEND_MAX, &bytes, err))
		return false;
	const char *data = g_bytes_get_data(bytes, NULL);
	size_t len = g_bytes_get_size(bytes);
	if (len >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memchr(data, 0, len))) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is UTF-16 or no text: the command processor reads neither", path);
		return ib_hint(err, "save it as plain text");
	}
	*ret = g_strndup(data ? data : "", len);
	return true;
}

/* ---- stage ---- */

static bool goes_to(const struct build *b, const char *where)
{
	return ib_ini_text(b->p, "unattend", "file") && ib_ini_has(b->p, "unattend", "place", where);
}

bool unattend_on_media(const struct build *b, const char *path)
{
	return goes_to(b, "media") && ib_name_equal(path, ON_MEDIA);
}

bool unattend_plan(struct build *b, struct ib_error **err)
{
	const char *file = ib_ini_text(b->p, "unattend", "file"), *script = ib_ini_text(b->p, "unattend", "setup-complete");
	g_autofree char *commands = NULL, *place = ib_ini_place(b->p, "unattend", file ? "file" : "setup-complete");
	g_autoptr(GBytes) bytes = NULL;
	struct ib_store *scratch;

	if (file && (!base_scratch(b, &scratch, err) || !read_answer(b, ib_store_info(scratch)->arch, &bytes, err)))
		return ib_while(err, "reading [unattend] file, %s", place);
	if (script && !read_commands(b, &commands, err))
		return ib_while(err, "reading [unattend] setup-complete, %s", place);
	if (goes_to(b, "panther"))
		plan_add(b, "unattend", 0, "put the answer file to %s", PANTHER);
	if (goes_to(b, "media"))
		plan_add(b, "unattend", 0, "put the answer file to %s of the medium%s", ON_MEDIA,
			 ib_media_find(b->media, ON_MEDIA) ? ", in place of the base's" : "");
	if (script)
		plan_add(b, "unattend", 0, "run %s after Setup, before what imgbuild runs", script ? strrchr(script, '/') ?
			 strrchr(script, '/') + 1 : script : "");
	return true;
}

static bool put_answer(struct build *b, struct target *t, struct ib_error **err)
{
	struct ib_image *image = ib_store_image(t->store);
	g_autoptr(GBytes) bytes = NULL, sd = NULL;
	struct ib_node_meta meta;
	uint8_t hash[IB_WIM_HASH_SIZE];

	if (!read_answer(b, ib_store_info(t->store)->arch, &bytes, err) || !put_parent(image, b->filetime, PANTHER, err) ||
	    !put_meta(image, b->filetime, PANTHER, false, &meta, &sd, err))
		return false;
	return ib_wim_add_bytes(t->file->wim, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash, err) &&
	       ib_image_put(image, PANTHER, hash, &meta, NULL, err);
}

bool unattend_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct target *t = install_target(b);
	g_autofree char *commands = NULL;

	if (goes_to(b, "panther")) {
		if (!put_answer(b, t, err))
			return false;
		added_add(b, "unattend", PANTHER, "the answer file");
	}
	if (goes_to(b, "media"))
		added_add(b, "unattend", ON_MEDIA, "the answer file, on the medium");
	if (!ib_ini_text(b->p, "unattend", "setup-complete"))
		return ib_progress_add(progress, 0, err);
	if (!read_commands(b, &commands, err) ||
	    !script_put_as_it_is(t->file->wim, ib_store_image(t->store), b->filetime, commands, err))
		return false;
	added_add(b, "unattend", SETUP_SCRIPT, "the profile's commands run before imgbuild's");
	return ib_progress_add(progress, 0, err);
}

bool unattend_add_media(struct build *b, struct ib_media_writer *w, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!goes_to(b, "media"))
		return true;
	return ib_file_read(ib_ini_text(b->p, "unattend", "file"), UNATTEND_MAX, &bytes, err) &&
	       ib_media_writer_add_bytes(w, ON_MEDIA, IB_MEDIA_TIME_OF_VOLUME, bytes, err);
}

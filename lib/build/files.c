#include "build/internal.h"

/*
 * Stage files: files and folders of this machine into the chosen image. [files] has the short form (path = source),
 * [file:NAME] one with owner, descriptor and attributes. A new file inherits from its folder; one that replaces another
 * keeps what was set on that. A file that a component of Windows owns is refused: the store would not be whole.
 */

#define NOT_INDEXED 0x2000u /* FILE_ATTRIBUTE_NOT_CONTENT_INDEXED */

struct wish {
	const char *path, *source, *owner, *sddl; /* owner, sddl: NULL when not given */
	char *const *attributes;                  /* words; NULL: not given */
	char *place;                              /* file:line */
};

static void wish_free(void *p)
{
	struct wish *w = p;

	g_free((char *)w->path);
	g_free(w->place);
	g_free(w);
}

/* "/Program Files/x" and "\x\" are written too. */
static char *image_path(const char *text)
{
	g_autofree char *path = g_strdelimit(g_strdup(text), "/", '\\');
	size_t lead = strspn(path, "\\"), len = strlen(path);

	while (len > lead && path[len - 1] == '\\')
		path[--len] = 0;
	return g_strdup(path + lead);
}

static bool read_wish(const struct build *b, const struct ib_ini_entry *e, bool plain, GPtrArray *wishes,
		      struct ib_error **err)
{
	const char *path = plain ? e->name : ib_ini_text(b->p, e->section, "path");
	const char *source = ib_ini_text(b->p, e->section, plain ? e->name : "source");
	struct wish *w = g_new0(struct wish, 1);

	g_ptr_array_add(wishes, w);
	w->place = ib_ini_place(b->p, e->section, e->name);
	w->path = image_path(path);
	w->source = source;
	if (!*w->path)
		return ib_throw(err, IB_ERR_INPUT, "%s: a file needs a path in the image", w->place);
	if (plain)
		return true;
	w->owner = ib_ini_text(b->p, e->section, "owner");
	w->sddl = ib_ini_text(b->p, e->section, "sddl");
	w->attributes = ib_ini_is_set(b->p, e->section, "attributes") ? ib_ini_list(b->p, e->section, "attributes") : NULL;
	return true;
}

/* One wish for each key of [files] and each section [file:…]; g_ptr_array_unref. */
static bool read_wishes(const struct build *b, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) wishes = g_ptr_array_new_with_free_func(wish_free);
	g_autoptr(GHashTable) sections = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GArray) entries = ib_ini_entries(b->p);

	for (guint i = 0; i < entries->len; i++) {
		const struct ib_ini_entry *e = &g_array_index(entries, struct ib_ini_entry, i);
		bool plain = strcmp(e->section, "files") == 0;
		if (!plain && (!g_str_has_prefix(e->section, "file:") || !g_hash_table_add(sections, (void *)e->section)))
			continue;
		if (!read_wish(b, e, plain, wishes, err))
			return false;
	}
	*ret = g_steal_pointer(&wishes);
	return true;
}

/* ---- security ---- */

/* Words for owners, beside SIDs and SDDL's own two letters. */
static char *owner_sid(const char *text)
{
	static const struct {
		const char *name, *sid;
	} names[] = { { "SYSTEM", "SY" }, { "Administrators", "BA" }, { "Users", "BU" }, { "LocalService", "LS" },
		      { "NetworkService", "NS" } };

	if (!g_ascii_strcasecmp(text, "TrustedInstaller"))
		return ib_sddl_service_sid("TrustedInstaller");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!g_ascii_strcasecmp(text, names[i].name))
			return g_strdup(names[i].sid);
	return g_strdup(text);
}

/* An owner's letters or SID, and nothing behind them. */
static bool check_owner(const char *owner, const char *sid, struct ib_error **err)
{
	g_autofree char *alone = g_strconcat("O:", sid, NULL);
	g_autoptr(GBytes) parsed = NULL;
	ib_auto_error why = NULL;

	if (!strchr(sid, ':') && ib_sddl_parse(alone, &parsed, &why))
		return true;
	ib_throw(err, IB_ERR_INPUT, "'%s' is nobody that can own a file", owner);
	return ib_hint(err, "an owner is SYSTEM, Administrators, Users, TrustedInstaller, LocalService, NetworkService or a SID (S-1-5-...)");
}

/* The descriptor with another owner. sd NULL: one that has nothing but the owner. */
static bool with_owner(GBytes *sd, const char *owner, GBytes **ret, struct ib_error **err)
{
	g_autofree char *sid = owner_sid(owner), *text = NULL;

	if (!check_owner(owner, sid, err))
		return ib_while(err, "reading the owner '%s'", owner);
	if (sd && !ib_sddl_format(sd, &text, err))
		return false;
	const char *rest = text ? text : "";
	if (g_str_has_prefix(rest, "O:")) { /* the owner ends where the group, or a list, begins: letters of a SID are none of these */
		const char *at = rest + 2;
		while (*at && !(at[1] == ':' && strchr("GDS", *at)))
			at++;
		rest = at;
	}
	g_autofree char *whole = g_strdup_printf("O:%s%s", sid, rest);
	return ib_sddl_parse(whole, ret, err) ? true : ib_while(err, "reading the owner '%s'", owner);
}

/* The descriptor a wish asks for, or the one it would have else. ret: owned by the caller, NULL: none */
static bool descriptor(const struct wish *w, GBytes *otherwise, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) given = NULL;
	GBytes *base = otherwise;

	if (w->sddl) {
		if (!ib_sddl_parse(w->sddl, &given, err))
			return ib_while(err, "reading the descriptor of '%s', %s", w->path, w->place);
		base = given;
	}
	if (w->owner)
		return with_owner(base, w->owner, ret, err) ? true : ib_while(err, "placing '%s', %s", w->path, w->place);
	*ret = base ? g_bytes_ref(base) : NULL;
	return true;
}

static uint32_t attributes(const struct wish *w, uint32_t otherwise)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} bits[] = { { "readonly", IB_ATTR_READONLY }, { "hidden", IB_ATTR_HIDDEN }, { "system", IB_ATTR_SYSTEM },
		     { "archive", IB_ATTR_ARCHIVE },   { "not-indexed", NOT_INDEXED } };
	uint32_t sum = 0;

	if (!w->attributes)
		return otherwise;
	for (char *const *word = w->attributes; *word; word++)
		for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
			if (strcmp(bits[i].word, *word) == 0)
				sum |= bits[i].bit;
	return sum ? sum : IB_ATTR_NORMAL;
}

/* ---- putting ---- */

struct putting {
	struct ib_store *store;
	struct ib_wim *wim; /* NULL: only look whether it may be put */
	uint64_t time;
	const struct wish *wish;
	unsigned files;
	uint64_t bytes;
	GHashTable *seen; /* folded paths of the stage */
};

/* Files that another part of the build owns. */
static bool check_reserved(const char *path, const struct wish *w, struct ib_error **err)
{
	static const struct {
		const char *path, *hint;
		bool folder;
	} taken[] = {
		{ SETUP_SCRIPT, "name your commands in [unattend] setup-complete: both scripts run then", false },
		{ "Windows\\System32\\config", "registry values go through [registry]", true },
		{ "Windows\\WinSxS", "the component store changes through packages", true },
		{ "Windows\\servicing", "the component store changes through packages", true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(taken); i++) {
		size_t n = strlen(taken[i].path);
		g_autofree char *front = g_utf8_validate(path, -1, NULL) ? g_strndup(path, n) : g_strdup("");
		if (strlen(path) < n || !ib_name_equal(front, taken[i].path) || (path[n] && (path[n] != '\\' || !taken[i].folder)))
			continue;
		ib_throw(err, IB_ERR_INPUT, "%s: '%s' is not to be replaced", w->place, path);
		return ib_hint(err, "%s", taken[i].hint);
	}
	return true;
}

static bool check_file(struct putting *p, const char *path, struct ib_error **err)
{
	g_autofree char *owner = NULL;
	char *folded = ib_name_fold(path);

	if (!folded || !g_hash_table_add(p->seen, folded))
		return ib_throw(err, IB_ERR_INPUT, "%s: '%s' is put twice", p->wish->place, path);
	if (!check_reserved(path, p->wish, err) || !ib_store_file_owner(p->store, path, &owner, err))
		return false;
	if (!owner)
		return true;
	ib_throw(err, IB_ERR_INPUT, "%s: '%s' belongs to the component '%s'", p->wish->place, path, owner);
	return ib_hint(err, "files of Windows change through packages; an update would put its own back");
}

static bool put_one(const char *source, const char *path, void *data, struct ib_error **err)
{
	struct putting *p = data;
	struct ib_image *image = ib_store_image(p->store);
	struct ib_node *old = ib_image_find(image, path);
	g_autoptr(GBytes) sd = NULL, wanted = NULL;
	struct ib_node_meta meta;
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_input in = NULL;
	uint64_t size;

	if (!source)
		return put_dir(image, p->time, path, err);
	if (!check_file(p, path, err) || !ib_input_open(source, &in, err) ||
	    !put_parent(image, p->time, path, err) || !put_meta(image, p->time, path, false, &meta, &sd, err))
		return false;
	if (old && ib_node_is_dir(old))
		return ib_throw(err, IB_ERR_INPUT, "%s: '%s' is a folder of the image", p->wish->place, path);
	if (old) { /* what was set on the old file stays */
		meta.attributes = (ib_node_attributes(old) & ~(IB_ATTR_REPARSE | IB_ATTR_NORMAL)) | IB_ATTR_ARCHIVE;
		meta.security = ib_node_security(image, old);
	}
	meta.attributes = attributes(p->wish, meta.attributes);
	if (!descriptor(p->wish, meta.security, &wanted, err))
		return false;
	meta.security = wanted;
	struct ib_stream *stream = ib_stream_from_input(in);
	bool ok = ib_wim_add_blob(p->wim, stream, hash, &size, err);
	ib_stream_free(stream);
	if (!ok || !ib_image_put(image, path, hash, &meta, NULL, err))
		return ib_while(err, "putting '%s' to '%s', %s", source, path, p->wish->place);
	p->files++;
	p->bytes += size;
	return true;
}

static bool put_all(struct build *b, struct ib_store *store, struct ib_wim *wim, bool planning, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) wishes = NULL;

	if (!read_wishes(b, &wishes, err))
		return false;
	for (guint i = 0; i < wishes->len; i++) {
		const struct wish *w = g_ptr_array_index(wishes, i);
		struct putting p = { .store = store, .wim = wim, .time = b->filetime, .wish = w, .seen = seen };
		if (!put_walk(w->source, w->path, put_one, &p, err))
			return ib_while(err, "reading [files], %s", w->place);
		g_autofree char *text = g_strdup_printf("%u files, %" PRIu64 " bytes%s%s%s", p.files, p.bytes,
							w->owner ? ", owner " : "", w->owner ? w->owner : "",
							w->sddl ? ", own descriptor" : "");
		if (planning)
			plan_add(b, "files", p.bytes, "put %s: %s", w->path, text);
		else
			added_add(b, "files", w->path, "%s", text);
	}
	return true;
}

bool files_plan(struct build *b, struct ib_error **err)
{
	g_autoptr(GPtrArray) wishes = NULL;
	struct ib_store *scratch;

	if (!read_wishes(b, &wishes, err))
		return false;
	return wishes->len == 0 || (base_scratch(b, &scratch, err) && put_all(b, scratch, b->scratch_wim, true, err));
}

bool files_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct target *t = install_target(b);

	return put_all(b, t->store, t->file->wim, false, err) && ib_progress_add(progress, 0, err);
}

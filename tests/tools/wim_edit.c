/*
 * Drives lib/wim from shell tests: a WIM in, a list of edits, a WIM out.
 *
 *   tool_wim_edit IN OUT [option=value …] [edit …]
 *
 * options: image=N compression=none|xpress|lzx chunk=N threads=N level=N integrity=1 base=N spool=DIR new=1
 *          recompress=1 solid=1 solid_chunk=N
 * edits:   put PATH FILE SDDL|- ATTR · set PATH FILE · link PATH NEW · rm PATH · mv PATH NEW · mkdir PATH ·
 *          stream PATH NAME FILE · unstream PATH NAME · junction|symlink|dirlink PATH TARGET ·
 *          sd PATH SDDL · attr PATH ATTR · drop N · prop PATH TEXT · cat PATH · dump · verify · boot N
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wim/wim.h"

#define FILETIME_2020 UINT64_C(0x01d5c03669c00000)

struct state {
	struct ib_wim *wim;
	struct ib_image *image;
	struct ib_wim_write_options options;
	unsigned index, threads, level;
	uint64_t base;
	const char *spool;
	bool fresh;
};

static int report(const struct ib_error *err)
{
	g_autofree char *text = ib_error_format(err, "wim_edit");

	fputs(text, stderr);
	return (int)ib_error_code(err);
}

static bool add_file(struct state *s, const char *file, uint8_t *hash, struct ib_error **err)
{
	ib_auto_input in = NULL;

	if (!ib_input_open(file, &in, err))
		return false;
	struct ib_stream *stream = ib_stream_from_input(in);
	bool ok = ib_wim_add_blob(s->wim, stream, hash, NULL, err);
	ib_stream_free(stream);
	return ok;
}

static struct ib_node *need(struct state *s, const char *path)
{
	struct ib_node *n = ib_image_find(s->image, path);

	if (!n) {
		fprintf(stderr, "no such path: %s\n", path);
		exit(99);
	}
	return n;
}

static bool parse_sd(const char *text, GBytes **ret, struct ib_error **err)
{
	*ret = NULL;
	return !strcmp(text, "-") || ib_sddl_parse(text, ret, err);
}

static bool edit_put(struct state *s, char **a, struct ib_error **err)
{
	g_autoptr(GBytes) sd = NULL;
	uint8_t hash[IB_WIM_HASH_SIZE];

	if (!parse_sd(a[2], &sd, err) || !add_file(s, a[1], hash, err))
		return false;
	struct ib_node_meta meta = { .attributes = (uint32_t)strtoul(a[3], NULL, 0), .creation_time = FILETIME_2020,
				     .access_time = FILETIME_2020, .write_time = FILETIME_2020, .security = sd };
	return ib_image_put(s->image, a[0], hash, &meta, NULL, err);
}

static bool edit_set(struct state *s, char **a, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];

	return add_file(s, a[1], hash, err) &&
	       ib_image_set_content(s->image, need(s, a[0]), hash, FILETIME_2020, err);
}

static bool edit_link(struct state *s, char **a, struct ib_error **err)
{
	return ib_image_link(s->image, need(s, a[0]), a[1], NULL, err);
}

static bool edit_rm(struct state *s, char **a, struct ib_error **err)
{
	return ib_image_remove(s->image, need(s, a[0]), err);
}

static bool edit_mv(struct state *s, char **a, struct ib_error **err)
{
	return ib_image_rename(s->image, need(s, a[0]), a[1], err);
}

static bool edit_mkdir(struct state *s, char **a, struct ib_error **err)
{
	struct ib_node_meta meta = { .creation_time = FILETIME_2020, .write_time = FILETIME_2020 };

	return ib_image_mkdir(s->image, a[0], &meta, NULL, err);
}

static bool edit_sd(struct state *s, char **a, struct ib_error **err)
{
	g_autoptr(GBytes) sd = NULL;

	if (!parse_sd(a[1], &sd, err))
		return false;
	ib_node_set_security(s->image, need(s, a[0]), sd);
	return true;
}

static bool edit_attr(struct state *s, char **a, struct ib_error **err)
{
	ib_node_set_attributes(s->image, need(s, a[0]), (uint32_t)strtoul(a[1], NULL, 0));
	return true;
}

static bool edit_drop(struct state *s, char **a, struct ib_error **err)
{
	return ib_wim_drop_image(s->wim, (unsigned)atoi(a[0]), err);
}

static bool edit_prop(struct state *s, char **a, struct ib_error **err)
{
	ib_wim_image_set_property(s->wim, s->index, a[0], a[1]);
	return true;
}

static bool edit_cat(struct state *s, char **a, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	gsize len;

	if (!ib_image_read(s->image, a[0], UINT64_C(1) << 32, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	fwrite(data, 1, len, stdout);
	return true;
}

static bool edit_verify(struct state *s, char **a, struct ib_error **err)
{
	return ib_wim_verify_blobs(s->wim, NULL, NULL, err);
}

static bool edit_boot(struct state *s, char **a, struct ib_error **err)
{
	ib_wim_set_boot_index(s->wim, (unsigned)atoi(a[0]));
	return true;
}

/* A file of lines "PATH<TAB>FILE": new content for many files. */
static bool edit_list(struct state *s, char **a, struct ib_error **err)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents(a[0], &text, NULL, NULL))
		return ib_throw(err, IB_ERR_INPUT, "cannot read '%s'", a[0]);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line && **line; line++) {
		g_auto(GStrv) pair = g_strsplit(*line, "\t", 2);
		if (!edit_set(s, pair, err))
			return false;
	}
	return true;
}

static bool edit_stream(struct state *s, char **a, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];

	return add_file(s, a[2], hash, err) && ib_image_put_stream(s->image, need(s, a[0]), a[1], hash, err);
}

static bool edit_unstream(struct state *s, char **a, struct ib_error **err)
{
	return ib_image_remove_stream(s->image, need(s, a[0]), a[1]) ||
	       ib_throw(err, IB_ERR_INPUT, "'%s' has no stream '%s'", a[0], a[1]);
}

static bool put_link(struct state *s, char **a, enum ib_link_kind kind, struct ib_error **err)
{
	struct ib_node_meta meta = { .creation_time = FILETIME_2020, .access_time = FILETIME_2020, .write_time = FILETIME_2020 };

	return ib_image_put_link(s->image, a[0], kind, a[1], &meta, err);
}

static bool edit_junction(struct state *s, char **a, struct ib_error **err)
{
	return put_link(s, a, IB_LINK_JUNCTION, err);
}

static bool edit_symlink(struct state *s, char **a, struct ib_error **err)
{
	return put_link(s, a, IB_LINK_FILE, err);
}

static bool edit_dirlink(struct state *s, char **a, struct ib_error **err)
{
	return put_link(s, a, IB_LINK_DIRECTORY, err);
}

static void print_hash(const char *before, const uint8_t *hash)
{
	static const uint8_t none[IB_WIM_HASH_SIZE];
	g_autofree char *hex = ib_hex(hash ? hash : none, IB_WIM_HASH_SIZE);

	printf("%s%s", before, hex);
}

/* One line a node: path, attributes, descriptor, content, reparse tag and data, link group and count, streams. */
static void dump(struct state *s, struct ib_node *node)
{
	g_autofree char *path = ib_node_path(node);
	GBytes *sd = ib_node_security(s->image, node);
	g_autofree char *hex = sd ? ib_hex(g_bytes_get_data(sd, NULL), g_bytes_get_size(sd)) : NULL;
	const uint8_t *reparse = ib_node_reparse_hash(node);

	printf("%s\t%x\t%s", path, ib_node_attributes(node), hex ? hex : "-");
	/* a directory's hash is its reparse data */
	print_hash("\t", ib_node_attributes(node) & IB_ATTR_DIRECTORY || ib_node_hash(node) == reparse ? NULL : ib_node_hash(node));
	printf("\t%x", ib_node_reparse_tag(node));
	print_hash(":", reparse);
	printf("\t%" PRIu64 "\t%u", ib_node_link_group(node), ib_node_link_count(s->image, node));
	for (unsigned i = 0; i < ib_node_stream_count(node); i++) {
		g_autofree char *name = ib_node_stream_name(node, i);
		printf("\t%s", name);
		print_hash(":", ib_node_stream_hash(node, i));
	}
	putchar('\n');
	for (struct ib_node *n = ib_node_first(node); n; n = ib_node_next(n))
		dump(s, n);
}

static bool edit_dump(struct state *s, char **a, struct ib_error **err)
{
	dump(s, ib_image_root(s->image));
	return true;
}

static const struct {
	const char *name;
	int args;
	bool (*run)(struct state *s, char **a, struct ib_error **err);
} edits[] = {
	{ "put", 4, edit_put },	    { "set", 2, edit_set },   { "link", 2, edit_link }, { "rm", 1, edit_rm },
	{ "mv", 2, edit_mv },	    { "mkdir", 1, edit_mkdir }, { "sd", 2, edit_sd },	{ "attr", 2, edit_attr },
	{ "drop", 1, edit_drop },   { "prop", 2, edit_prop }, { "cat", 1, edit_cat },	{ "verify", 0, edit_verify },
	{ "boot", 1, edit_boot },   { "list", 1, edit_list }, { "stream", 3, edit_stream },
	{ "unstream", 2, edit_unstream }, { "junction", 2, edit_junction }, { "symlink", 2, edit_symlink },
	{ "dirlink", 2, edit_dirlink }, { "dump", 0, edit_dump },
};

static bool option(struct state *s, const char *arg)
{
	static const char *const types[] = { "none", "xpress", "lzx", "lzms" };
	const char *v = strchr(arg, '=');

	if (!v)
		return false;
	v++;
	if (g_str_has_prefix(arg, "image="))
		s->index = (unsigned)atoi(v);
	else if (g_str_has_prefix(arg, "chunk="))
		s->options.chunk_size = (uint32_t)atoi(v);
	else if (g_str_has_prefix(arg, "threads="))
		s->threads = (unsigned)atoi(v);
	else if (g_str_has_prefix(arg, "level="))
		s->level = (unsigned)atoi(v);
	else if (g_str_has_prefix(arg, "integrity="))
		s->options.integrity = true;
	else if (g_str_has_prefix(arg, "base="))
		s->base = strtoull(v, NULL, 0);
	else if (g_str_has_prefix(arg, "spool="))
		s->spool = v;
	else if (g_str_has_prefix(arg, "solid_chunk="))
		s->options.solid_chunk = (uint32_t)atoi(v);
	else if (g_str_has_prefix(arg, "solid="))
		s->options.solid = true;
	else if (g_str_has_prefix(arg, "recompress="))
		s->options.recompress = true;
	else if (g_str_has_prefix(arg, "new="))
		s->fresh = true;
	else if (g_str_has_prefix(arg, "compression=")) {
		s->options.set_compression = true;
		for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
			if (!strcmp(v, types[i]))
				s->options.compression = (enum ib_wim_compression)i;
	} else
		return false;
	return true;
}

static bool run_edits(struct state *s, char **a, struct ib_error **err)
{
	while (*a) {
		unsigned i = 0;
		while (i < G_N_ELEMENTS(edits) && strcmp(edits[i].name, *a) != 0)
			i++;
		if (i == G_N_ELEMENTS(edits))
			return ib_throw(err, IB_ERR_USAGE, "unknown edit '%s'", *a);
		if (!edits[i].run(s, a + 1, err))
			return ib_while(err, "doing '%s %s'", *a, edits[i].args ? a[1] : "");
		a += 1 + edits[i].args;
	}
	return true;
}

static bool open_wim(struct state *s, const char *path, struct ib_error **err)
{
	if (s->fresh) {
		s->wim = ib_wim_new(s->options.compression, s->options.chunk_size, s->spool);
		ib_wim_add_image(s->wim, "new");
	} else if (!ib_wim_open_file(path, s->spool, &s->wim, err)) {
		return false;
	}
	ib_wim_set_compressor(s->wim, s->level, s->threads);
	return ib_wim_image(s->wim, s->index, &s->image, err);
}

static bool write_wim(struct state *s, const char *path, struct ib_error **err)
{
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .base = s->base, .name = path };
	struct ib_wim_cost cost;
	uint64_t size;

	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", path);
	s->options.size = sizeof s->options;
	s->options.time = FILETIME_2020;
	memcpy(s->options.guid, "0123456789abcdef", 16);
	if (!ib_wim_cost(s->wim, &s->options, &cost, err) || !ib_wim_write(s->wim, &out, &s->options, &size, err))
		return false;
	if (size > cost.max_total_bytes)
		return ib_throw(err, IB_ERR_FAILED, "announced %" PRIu64 " bytes, wrote %" PRIu64, cost.max_total_bytes, size);
	printf("%" PRIu64 " bytes; copied %" PRIu64 ", new %" PRIu64 ", recompressed %" PRIu64 ", bound %" PRIu64 "\n",
	       size, cost.copy_bytes, cost.new_bytes, cost.recompress_bytes, cost.max_total_bytes);
	return true;
}

int main(int argc, char **argv)
{
	struct state s = { .index = 1 };
	ib_auto_error err = NULL;
	int at = 3, status = 0;

	if (argc < 3)
		return 2;
	while (at < argc && option(&s, argv[at]))
		at++;
	if (!open_wim(&s, argv[1], &err) || !run_edits(&s, argv + at, &err) ||
	    (strcmp(argv[2], "-") != 0 && !write_wim(&s, argv[2], &err)))
		status = report(err);
	ib_wim_free(s.wim);
	return status;
}

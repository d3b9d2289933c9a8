/* Making a disc: the tree, its layout, and the data of the files. */
#include "media/writer_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The last second of 2155: ISO 9660 counts years from 1900 in one byte. */
#define EPOCH_MAX INT64_C(5869583999)
/* A BIOS loads its image below 640 KiB; Windows' is 4096 bytes. */
#define BIOS_MAX (64u << 10)

static void node_free(void *data)
{
	struct node *n = data;

	g_free(n->path);
	ib_input_unref(n->input);
	if (n->children)
		g_ptr_array_unref(n->children);
	g_free(n);
}

static struct node *node_new(char *path, struct node *parent, bool is_dir)
{
	struct node *n = g_new0(struct node, 1);
	const char *slash = strrchr(path, '/');

	n->path = path;
	n->name = slash ? slash + 1 : path;
	n->parent = parent ? parent : n;
	n->is_dir = is_dir;
	n->mtime = IB_MEDIA_TIME_OF_VOLUME;
	if (is_dir)
		n->children = g_ptr_array_new();
	return n;
}

static bool label_ok(const char *label)
{
	size_t len = label ? strlen(label) : 0;

	for (size_t i = 0; i < len; i++)
		if (label[i] < 0x20 || label[i] > 0x7E)
			return false;
	return len >= 1 && len <= IB_MEDIA_MAX_LABEL;
}

bool ib_media_writer_new(const struct ib_media_options *options, struct ib_media_writer **ret, struct ib_error **err)
{
	if (!label_ok(options->label))
		return ib_throw(err, IB_ERR_USAGE, "volume label '%s' is not 1 to %u ASCII characters",
				options->label ? options->label : "", IB_MEDIA_MAX_LABEL);
	if (options->epoch < 0 || options->epoch > EPOCH_MAX)
		return ib_throw(err, IB_ERR_USAGE, "volume time %" PRId64 " is not in the years 1970 to 2155", options->epoch);
	if (options->set_id && (strlen(options->set_id) != 16 || strspn(options->set_id, "0123456789abcdef") != 16))
		return ib_throw(err, IB_ERR_USAGE, "volume set id '%s' is not 16 lower-case hex digits", options->set_id);
	struct ib_media_writer *w = g_new0(struct ib_media_writer, 1);
	w->label = g_strdup(options->label);
	w->set_id = g_strdup(options->set_id);
	w->epoch = options->epoch;
	w->boot_path[0] = g_strdup(options->bios_path);
	w->boot_path[1] = g_strdup(options->efi_path);
	w->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, node_free);
	w->dirs = g_ptr_array_new();
	w->files = g_ptr_array_new();
	w->root = node_new(g_strdup(""), NULL, true);
	g_hash_table_insert(w->by_name, g_strdup(""), w->root);
	*ret = w;
	return true;
}

void ib_media_writer_free(struct ib_media_writer *w)
{
	if (!w)
		return;
	g_free(w->label);
	g_free(w->set_id);
	g_free(w->boot_path[0]);
	g_free(w->boot_path[1]);
	g_free((char *)w->out.name);
	g_ptr_array_unref(w->dirs);
	g_ptr_array_unref(w->files);
	g_hash_table_unref(w->by_name);
	g_free(w);
}

void ib_media_writer_clear(struct ib_media_writer **w)
{
	ib_media_writer_free(*w);
	*w = NULL;
}

/* ---- the tree ---- */

static struct node *lookup(const struct ib_media_writer *w, const char *path)
{
	g_autofree char *key = ib_name_fold(path);

	return g_hash_table_lookup(w->by_name, key);
}

/* Why Windows does not take a name, or NULL. */
static const char *name_fault(const char *name)
{
	uint8_t buf[255];
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || strchr("\"*/:<>?\\|", name[i]))
			return "holds a character that Windows does not allow";
	if (len == 0)
		return "is empty";
	if (name[len - 1] == '.' || name[len - 1] == ' ')
		return "ends with a dot or a blank";
	if (ib_media_cs0_encode(name, buf, sizeof buf) == 0)
		return "is no UTF-8 or too long (254 characters of Latin-1, 127 UTF-16 units else)";
	return NULL;
}

static bool check_path(const char *path, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", 0);
	guint count = g_strv_length(parts);

	if (count == 0)
		return ib_throw(err, IB_ERR_INPUT, "the path of a file for the disc is empty");
	if (count > IB_MEDIA_MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "'%s' lies deeper than %u folders", path, IB_MEDIA_MAX_DEPTH);
	for (guint i = 0; i < count; i++) {
		const char *fault = name_fault(parts[i]);
		if (fault)
			return ib_throw(err, IB_ERR_INPUT, "a name that %s: '%s', in '%s'", fault, parts[i], path);
	}
	return true;
}

/* Put a new node below its parent, which exists; path is taken. */
static struct node *attach(struct ib_media_writer *w, struct node *parent, char *path, bool is_dir)
{
	struct node *n = node_new(path, parent, is_dir);

	g_ptr_array_add(parent->children, n);
	g_hash_table_insert(w->by_name, ib_name_fold(path), n);
	return n;
}

/* The folder of a path whose names were checked, made as needed: from the root down. */
static bool make_dirs(struct ib_media_writer *w, const char *path, struct node **ret, struct ib_error **err)
{
	struct node *dir = w->root;

	for (const char *end = path; *end; end += *end ? 1 : 0) {
		end = strchrnul(end, '/');
		g_autofree char *part = g_strndup(path, (size_t)(end - path));
		struct node *n = lookup(w, part);
		if (n && !n->is_dir)
			return ib_throw(err, IB_ERR_INPUT, "'%s' is a file on the disc, '%s' needs a folder there", n->path, path);
		dir = n ? n : attach(w, dir, g_steal_pointer(&part), true);
	}
	*ret = dir;
	return true;
}

static bool check_room(const struct ib_media_writer *w, const char *path, struct ib_error **err)
{
	if (w->started)
		return ib_throw(err, IB_ERR_USAGE, "'%s' cannot be added to a disc that is being written", path);
	if (g_hash_table_size(w->by_name) > IB_MEDIA_MAX_ENTRIES - IB_MEDIA_MAX_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "a disc holds at most %u files and folders", IB_MEDIA_MAX_ENTRIES);
	return check_path(path, err);
}

bool ib_media_writer_add_dir(struct ib_media_writer *w, const char *path, struct ib_error **err)
{
	struct node *dir;

	return check_room(w, path, err) && make_dirs(w, path, &dir, err);
}

static bool add_file(struct ib_media_writer *w, const char *path, int64_t mtime, uint64_t size, struct node **ret,
		     struct ib_error **err)
{
	struct node *dir;

	if (!check_room(w, path, err))
		return false;
	if (size > IB_MEDIA_MAX_FILE)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, a file on the disc has at most %" PRIu64, path, size,
				IB_MEDIA_MAX_FILE);
	struct node *old = lookup(w, path);
	if (old)
		return ib_throw(err, IB_ERR_INPUT, "'%s' cannot be added to the disc: '%s' is there", path, old->path);
	const char *slash = strrchr(path, '/');
	g_autofree char *parent = g_strndup(path, slash ? (size_t)(slash - path) : 0);
	if (!make_dirs(w, parent, &dir, err))
		return false;
	struct node *n = attach(w, dir, g_strdup(path), false);
	n->mtime = mtime;
	n->size = size;
	*ret = n;
	return true;
}

bool ib_media_writer_add_input(struct ib_media_writer *w, const char *path, int64_t mtime, struct ib_input *in,
			       struct ib_error **err)
{
	struct node *n;

	if (!add_file(w, path, mtime, ib_input_size(in), &n, err))
		return false;
	n->input = ib_input_ref(in);
	return true;
}

bool ib_media_writer_add_bytes(struct ib_media_writer *w, const char *path, int64_t mtime, GBytes *bytes,
			       struct ib_error **err)
{
	ib_auto_input in = ib_input_from_bytes(bytes, path);

	return ib_media_writer_add_input(w, path, mtime, in, err);
}

bool ib_media_writer_reserve(struct ib_media_writer *w, const char *path, int64_t mtime, uint64_t likely_bytes,
			     struct ib_error **err)
{
	struct node *n;

	if (!add_file(w, path, mtime, likely_bytes, &n, err))
		return false;
	n->state = NODE_RESERVED;
	return true;
}

/* ---- the layout ---- */

/* Bytes of a folder's file identifiers. */
static uint64_t dir_bytes(const struct node *dir)
{
	uint64_t total = identifier_size(0); /* the parent */
	uint8_t buf[255];

	for (guint i = 0; i < dir->children->len; i++) {
		const struct node *n = dir->children->pdata[i];
		total += identifier_size(ib_media_cs0_encode(n->name, buf, sizeof buf));
	}
	return total;
}

uint64_t ib_media_writer_space(const struct ib_media_writer *w)
{
	GHashTableIter iter;
	void *value;
	uint64_t sectors = PARTITION_LSN + FILESET_BLOCKS + 1;

	g_hash_table_iter_init(&iter, w->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &value)) { /* a sum: any order will do */
		const struct node *n = value;
		sectors += 1 + sectors_of(n->is_dir ? dir_bytes(n) : n->size);
	}
	return sectors * IB_MEDIA_SECTOR;
}

static int compare_names(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Folders before what is in them, files in the same order; the depth is limited by check_path(). */
static void list_nodes(struct ib_media_writer *w, struct node *dir)
{
	g_ptr_array_add(w->dirs, dir);
	g_ptr_array_sort(dir->children, compare_names);
	for (guint i = 0; i < dir->children->len; i++) {
		struct node *n = dir->children->pdata[i];
		if (n->is_dir)
			list_nodes(w, n);
		else
			g_ptr_array_add(w->files, n);
	}
}

/* Blocks of all folders' and files' entries; data follows. */
static void place_entries(struct ib_media_writer *w)
{
	uint64_t lbn = FILESET_BLOCKS;
	uint32_t unique = UNIQUE_FIRST;

	for (guint i = 0; i < w->dirs->len; i++) {
		struct node *n = w->dirs->pdata[i];
		n->unique_id = i == 0 ? 0 : unique++;
		n->size = dir_bytes(n);
		n->entry_lbn = (uint32_t)lbn;
		n->data_lbn = (uint32_t)lbn + 1;
		lbn += 1 + sectors_of(n->size);
	}
	for (guint i = 0; i < w->files->len; i++) {
		struct node *n = w->files->pdata[i];
		n->unique_id = unique++;
		n->entry_lbn = (uint32_t)lbn++;
	}
	w->next_lsn = PARTITION_LSN + lbn;
}

static bool place_data(struct ib_media_writer *w, struct node *n, struct ib_error **err)
{
	/* the last sector is the second anchor's, and its number has 32 bits */
	uint64_t end = w->next_lsn + sectors_of(n->size);

	if (end >= UINT32_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' does not fit: a disc has at most %u sectors", n->path, UINT32_MAX);
	n->data_lbn = (uint32_t)(w->next_lsn - PARTITION_LSN);
	w->next_lsn = end;
	return true;
}

static bool find_boot(struct ib_media_writer *w, unsigned which, struct ib_error **err)
{
	static const char *const what[] = { "BIOS", "EFI" };
	const char *path = w->boot_path[which];

	if (!path)
		return true;
	struct node *n = lookup(w, path);
	if (!n || n->is_dir || n->state != NODE_READY)
		return ib_throw(err, IB_ERR_USAGE, "the %s boot image '%s' is not among the files of the disc", what[which], path);
	if (n->size == 0 || (which == 0 && n->size > BIOS_MAX))
		return ib_throw(err, IB_ERR_INPUT, "the %s boot image '%s' has %" PRIu64 " bytes, that cannot be", what[which], path,
				n->size);
	w->boot[which] = n;
	return true;
}

static bool lay_out(struct ib_media_writer *w, struct ib_error **err)
{
	if (!find_boot(w, 0, err) || !find_boot(w, 1, err))
		return false;
	list_nodes(w, w->root);
	place_entries(w);
	/* boot images first: firmware reads them by 32-bit sector numbers, often less */
	for (unsigned i = 0; i < 2; i++)
		if (w->boot[i] && !(i == 1 && w->boot[0] == w->boot[1]) && !place_data(w, w->boot[i], err))
			return false;
	for (guint i = 0; i < w->files->len; i++) {
		struct node *n = w->files->pdata[i];
		bool placed = n == w->boot[0] || n == w->boot[1] || n->state != NODE_READY || n->size == 0;
		if (!placed && !place_data(w, n, err))
			return false;
	}
	return true;
}

/* ---- the data ---- */

static uint64_t data_offset(const struct node *n)
{
	return ((uint64_t)PARTITION_LSN + n->data_lbn) * IB_MEDIA_SECTOR;
}

/* Zeros from the end of a file to the end of its last sector. */
static bool pad(const struct ib_media_writer *w, const struct node *n, struct ib_error **err)
{
	static const uint8_t zeros[IB_MEDIA_SECTOR];
	size_t tail = (size_t)(n->size % IB_MEDIA_SECTOR);

	if (tail == 0)
		return true;
	return ib_output_write(&w->out, data_offset(n) + n->size, zeros, sizeof zeros - tail, err);
}

/* What lay in the output before must not look like a disc while this one is unfinished. */
static bool blank_head(const struct ib_media_writer *w, struct ib_error **err)
{
	g_autofree uint8_t *zeros = g_malloc0(PARTITION_LSN * IB_MEDIA_SECTOR);

	return ib_output_write(&w->out, 0, zeros, PARTITION_LSN * IB_MEDIA_SECTOR, err);
}

bool ib_media_writer_start(struct ib_media_writer *w, const struct ib_output *out, struct ib_progress *progress,
			   struct ib_error **err)
{
	if (w->started)
		return ib_throw(err, IB_ERR_USAGE, "the disc '%s' is being written already", w->label);
	w->started = true;
	w->out = (struct ib_output){ .fd = out->fd, .base = out->base, .name = g_strdup(out->name) };
	if (!lay_out(w, err) || !blank_head(w, err))
		return false;
	for (guint i = 0; i < w->files->len; i++) {
		const struct node *n = w->files->pdata[i];
		if (n->state != NODE_READY || n->size == 0)
			continue;
		if (!ib_output_copy(&w->out, data_offset(n), n->input, 0, n->size, progress, err) || !pad(w, n, err))
			return ib_while(err, "writing '%s' to the disc", n->path);
	}
	return true;
}

bool ib_media_writer_open(struct ib_media_writer *w, const char *path, struct ib_output *ret, struct ib_error **err)
{
	struct node *n = lookup(w, path);

	if (!w->started || w->finished || w->open)
		return ib_throw(err, IB_ERR_USAGE, "'%s' cannot be written to the disc now", path);
	if (!n || n->state != NODE_RESERVED)
		return ib_throw(err, IB_ERR_USAGE, "'%s' was not reserved on the disc", path);
	n->state = NODE_OPEN;
	n->data_lbn = (uint32_t)(w->next_lsn - PARTITION_LSN);
	w->open = n;
	*ret = (struct ib_output){ .fd = w->out.fd, .base = w->out.base + data_offset(n), .name = n->path };
	return true;
}

bool ib_media_writer_close(struct ib_media_writer *w, uint64_t size, struct ib_error **err)
{
	struct node *n = w->open;

	if (!n)
		return ib_throw(err, IB_ERR_USAGE, "no file of the disc is open");
	if (size > IB_MEDIA_MAX_FILE)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, a file on the disc has at most %" PRIu64, n->path,
				size, IB_MEDIA_MAX_FILE);
	n->size = size;
	if (!place_data(w, n, err) || !pad(w, n, err))
		return ib_while(err, "writing '%s' to the disc", n->path);
	n->state = NODE_WRITTEN;
	w->open = NULL;
	return true;
}

bool ib_media_writer_finish(struct ib_media_writer *w, uint64_t *ret_bytes, struct ib_error **err)
{
	uint64_t total = w->next_lsn + 1;

	if (!w->started || w->finished)
		return ib_throw(err, IB_ERR_USAGE, "the disc '%s' is not being written", w->label);
	for (guint i = 0; i < w->files->len; i++) {
		const struct node *n = w->files->pdata[i];
		if (n->state != NODE_READY && n->state != NODE_WRITTEN)
			return ib_throw(err, IB_ERR_USAGE, "'%s' was reserved on the disc but not written", n->path);
	}
	if (ftruncate(w->out.fd, (off_t)(w->out.base + total * IB_MEDIA_SECTOR)) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot set the size of '%s'", w->out.name);
	if (!ib_media_write_descriptors(w, total, err) || !ib_fd_sync(w->out.fd, w->out.name, err))
		return ib_while(err, "finishing the disc '%s'", w->label);
	w->finished = true;
	if (ret_bytes)
		*ret_bytes = total * IB_MEDIA_SECTOR;
	return true;
}

#include "archive/internal.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

/* Bytes handed to libarchive at a time: large enough that the calls cost nothing. */
#define BLOCK_SIZE (256u << 10)
/* Bytes of unwanted members read at a time. */
#define DRAIN_SIZE (32u << 10)
/* Most members: a cabinet's count is 16 bits, the largest update known stays below 60,000. */
#define MEMBERS_MAX 100000
/* Bytes that tell one container from another. */
#define MAGIC_SIZE 4

struct ib_archive {
	struct archive *la;
	char *name;              /* for messages */
	struct ib_input *in;     /* one of these two */
	struct ib_stream *stream;
	uint64_t at;             /* next byte of in */
	uint8_t *block;
	size_t peeked;           /* bytes in block not yet handed over (stream: the magic) */
	bool is_zip;
	uint8_t *drain;          /* where bytes nobody wants go */
	bool in_member;          /* its end may not be reached yet */
	struct ib_error *io_error; /* thrown inside a callback, wins over libarchive's text */
	unsigned members;
	unsigned generation;     /* of the current member: streams of older ones are dead */
	GString *member_name;
	uint64_t member_size;
};

struct member_stream {
	struct ib_stream base;
	struct ib_archive *a;
	unsigned generation;
	uint64_t got;
};

/* ---- libarchive's way to our bytes ---- */

static la_ssize_t fail_io(struct ib_archive *a, struct ib_error *e)
{
	ib_error_clear(&a->io_error);
	a->io_error = e;
	archive_set_error(a->la, EIO, "reading failed");
	return ARCHIVE_FATAL;
}

static la_ssize_t read_block(struct archive *la, void *data, const void **ret_buf)
{
	struct ib_archive *a = data;
	struct ib_error *e = NULL;
	size_t n = a->peeked;

	a->peeked = 0;
	*ret_buf = a->block;
	if (n > 0)
		return (la_ssize_t)n;
	if (a->stream) {
		if (!ib_stream_read(a->stream, a->block, BLOCK_SIZE, &n, &e))
			return fail_io(a, e);
		return (la_ssize_t)n;
	}
	n = (size_t)MIN((uint64_t)BLOCK_SIZE, ib_input_size(a->in) - a->at);
	if (!ib_input_read(a->in, a->at, a->block, n, &e))
		return fail_io(a, e);
	a->at += n;
	return (la_ssize_t)n;
}

static la_int64_t skip_bytes(struct archive *la, void *data, la_int64_t request)
{
	struct ib_archive *a = data;

	if (!a->in || request <= 0)
		return 0;
	uint64_t n = MIN((uint64_t)request, ib_input_size(a->in) - a->at);
	a->at += n;
	return (la_int64_t)n;
}

static la_int64_t seek_to(struct archive *la, void *data, la_int64_t offset, int whence)
{
	struct ib_archive *a = data;
	la_int64_t base = whence == SEEK_SET ? 0 :
			  whence == SEEK_CUR ? (la_int64_t)a->at : (la_int64_t)ib_input_size(a->in);

	if (offset < -base || (uint64_t)(base + offset) > ib_input_size(a->in))
		return ARCHIVE_FATAL;
	a->at = (uint64_t)(base + offset);
	return (la_int64_t)a->at;
}

/* Our own error when reading failed; else what libarchive says. */
static bool throw_la(struct ib_archive *a, struct ib_error **err)
{
	const char *text = archive_error_string(a->la);

	if (a->io_error) {
		*err = g_steal_pointer(&a->io_error);
		return ib_while(err, "reading archive '%s'", a->name);
	}
	if (archive_errno(a->la) == ENOMEM)
		return ib_throw_memory(err);
	return ib_throw(err, IB_ERR_INPUT, "archive '%s' is damaged or of a form not read here: %s", a->name,
			text ? text : "no reason given");
}

/*
 * libarchive turns UTF-8 member names into the thread's character set, which in
 * the C locale loses them. A library may not depend on the locale: names are
 * read under C.UTF-8, for this thread and these calls only.
 */
static locale_t utf8_enter(void)
{
	static gsize once;
	static locale_t utf8;

	if (g_once_init_enter(&once)) {
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		g_once_init_leave(&once, 1);
	}
	return uselocale(utf8);
}

/* ---- open ---- */

static bool open_la(struct ib_archive *a, struct ib_error **err)
{
	a->la = archive_read_new();
	if (!a->la)
		return ib_throw_memory(err);
	archive_read_support_filter_none(a->la);
	if (a->is_zip)
		archive_read_support_format_zip(a->la);
	else
		archive_read_support_format_cab(a->la);
	archive_read_set_read_callback(a->la, read_block);
	if (a->in) {
		archive_read_set_skip_callback(a->la, skip_bytes);
		archive_read_set_seek_callback(a->la, seek_to);
	}
	archive_read_set_callback_data(a->la, a);
	locale_t old = utf8_enter();
	int rc = archive_read_open1(a->la);
	uselocale(old);
	return rc == ARCHIVE_OK || throw_la(a, err);
}

static bool is_cab(const uint8_t *magic)
{
	return memcmp(magic, "MSCF", MAGIC_SIZE) == 0;
}

static bool is_zip(const uint8_t *magic)
{
	return memcmp(magic, "PK\3\4", MAGIC_SIZE) == 0 || memcmp(magic, "PK\5\6", MAGIC_SIZE) == 0;
}

static struct ib_archive *archive_new(const char *name)
{
	struct ib_archive *a = g_new0(struct ib_archive, 1);

	a->name = g_strdup(name);
	a->block = g_malloc(BLOCK_SIZE);
	a->drain = g_malloc(DRAIN_SIZE);
	a->member_name = g_string_new(NULL);
	return a;
}

bool ib_archive_open(struct ib_input *in, struct ib_archive **ret, struct ib_error **err)
{
	uint8_t magic[MAGIC_SIZE] = { 0 };

	if (ib_input_size(in) >= MAGIC_SIZE && !ib_input_read(in, 0, magic, MAGIC_SIZE, err))
		return false;
	if (!is_cab(magic) && !is_zip(magic))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is neither a cabinet nor a ZIP archive", ib_input_name(in));
	struct ib_archive *a = archive_new(ib_input_name(in));
	a->in = ib_input_ref(in);
	a->is_zip = is_zip(magic);
	if (!open_la(a, err)) {
		ib_archive_free(a);
		return false;
	}
	*ret = a;
	return true;
}

static bool peek_magic(struct ib_archive *a, struct ib_error **err)
{
	while (a->peeked < MAGIC_SIZE) {
		size_t n;
		if (!ib_stream_read(a->stream, a->block + a->peeked, BLOCK_SIZE - a->peeked, &n, err))
			return ib_while(err, "reading archive '%s'", a->name);
		if (n == 0)
			break;
		a->peeked += n;
	}
	if (a->peeked < MAGIC_SIZE || !is_cab(a->block))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not a cabinet", a->name);
	return true;
}

bool ib_archive_open_stream(struct ib_stream *stream, const char *name, struct ib_archive **ret, struct ib_error **err)
{
	struct ib_archive *a = archive_new(name);

	a->stream = stream;
	if (!peek_magic(a, err) || !open_la(a, err)) {
		ib_archive_free(a);
		return false;
	}
	*ret = a;
	return true;
}

void ib_archive_free(struct ib_archive *a)
{
	if (!a)
		return;
	if (a->la)
		archive_read_free(a->la);
	ib_input_unref(a->in);
	ib_stream_free(a->stream);
	ib_error_clear(&a->io_error);
	g_string_free(a->member_name, TRUE);
	g_free(a->block);
	g_free(a->drain);
	g_free(a->name);
	g_free(a);
}

/* ---- members ---- */

bool archive_take_name(const char *archive, unsigned number, const char *name, GString *ret, struct ib_error **err)
{
	if (!name || !g_utf8_validate(name, -1, NULL))
		return ib_throw(err, IB_ERR_INPUT, "archive '%s': the name of member %u is not valid UTF-8", archive,
				number);
	g_autofree char *slashed = g_strdelimit(g_strdup(name), "\\", '/');
	g_auto(GStrv) parts = g_strsplit(slashed, "/", -1);

	g_string_truncate(ret, 0);
	for (char **p = parts; *p; p++) {
		if (strcmp(*p, ".") == 0)
			continue;
		/* An empty last part is the separator behind a folder's name. */
		bool empty = **p == '\0' && (p == parts || p[1]);
		if (empty || strcmp(*p, "..") == 0 || strchr(*p, ':'))
			return ib_throw(err, IB_ERR_INPUT, "archive '%s': the name '%s' of member %u leads out of it",
					archive, name, number);
		if (ret->len > 0 && **p)
			g_string_append_c(ret, '\\');
		g_string_append(ret, *p);
	}
	return true;
}

/* A ZIP method that asks for gigabytes of dictionary is no way into this process. */
static bool check_method(struct ib_archive *a, struct ib_error **err)
{
	const char *format = archive_format_name(a->la);

	if (!a->is_zip || !format || strstr(format, "(uncompressed)") || strstr(format, "(deflation)"))
		return true;
	return ib_throw(err, IB_ERR_INPUT, "archive '%s': member %u is compressed as '%s', only stored and deflated "
			"members are read here", a->name, a->members, format);
}

/*
 * libarchive before its pull request 3442 skips an unread member of one folder
 * of a cabinet at the cost of the next folder's bytes: members are read to their
 * end. Within a folder that costs nothing, skipping decompresses too.
 */
static bool drain_member(struct ib_archive *a, struct ib_error **err)
{
	la_ssize_t n;

	if (a->is_zip || !a->in_member)
		return true;
	do {
		n = archive_read_data(a->la, a->drain, DRAIN_SIZE);
	} while (n > 0);
	a->in_member = false;
	return n == 0 || throw_la(a, err);
}

static bool next_header(struct ib_archive *a, struct archive_entry **ret, bool *ret_more, struct ib_error **err)
{
	locale_t old = utf8_enter();
	int rc = archive_read_next_header(a->la, ret);

	uselocale(old);
	*ret_more = rc == ARCHIVE_OK;
	return rc == ARCHIVE_OK || rc == ARCHIVE_EOF || throw_la(a, err);
}

bool ib_archive_next(struct ib_archive *a, struct ib_archive_member *ret, bool *ret_more, struct ib_error **err)
{
	struct archive_entry *entry;
	bool more;

	a->generation++;
	do {
		if (!drain_member(a, err) || !next_header(a, &entry, &more, err))
			return false;
		if (!more) {
			*ret_more = false;
			return true;
		}
		if (++a->members > MEMBERS_MAX)
			return ib_throw(err, IB_ERR_INPUT, "archive '%s' has more than %u members, the most accepted",
					a->name, MEMBERS_MAX);
		if (!archive_take_name(a->name, a->members, archive_entry_pathname(entry), a->member_name, err))
			return false;
	} while (archive_entry_filetype(entry) == AE_IFDIR);
	if (archive_entry_filetype(entry) != AE_IFREG)
		return ib_throw(err, IB_ERR_INPUT, "archive '%s': member '%s' is not a regular file", a->name,
				a->member_name->str);
	if (a->member_name->len == 0)
		return ib_throw(err, IB_ERR_INPUT, "archive '%s': member %u has no name", a->name, a->members);
	if (!check_method(a, err))
		return false;
	a->member_size = archive_entry_size_is_set(entry) ? (uint64_t)archive_entry_size(entry) : UINT64_MAX;
	a->in_member = a->member_size > 0;
	ret->name = a->member_name->str;
	ret->size = a->member_size;
	*ret_more = true;
	return true;
}

static bool member_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct member_stream *ms = (struct member_stream *)s;
	struct ib_archive *a = ms->a;

	if (ms->generation != a->generation)
		return ib_throw(err, IB_ERR_FAILED, "a member of '%s' was read after the next one was begun", a->name);
	la_ssize_t n = a->in_member ? archive_read_data(a->la, buf, cap) : 0;
	if (n < 0) {
		throw_la(a, err);
		return ib_while(err, "reading member '%s'", a->member_name->str);
	}
	ms->got += (uint64_t)n;
	if (n == 0 && cap > 0 && a->member_size != UINT64_MAX && ms->got != a->member_size)
		return ib_throw(err, IB_ERR_INPUT, "archive '%s': member '%s' ends after %" PRIu64 " bytes of %" PRIu64,
				a->name, a->member_name->str, ms->got, a->member_size);
	*ret_n = (size_t)n;
	return true;
}

static void member_free(struct ib_stream *s)
{
	g_free(s);
}

struct ib_stream *ib_archive_stream(struct ib_archive *a)
{
	struct member_stream *ms = g_new0(struct member_stream, 1);

	ms->base = (struct ib_stream){ .read = member_read, .free = member_free };
	ms->a = a;
	ms->generation = a->generation;
	return &ms->base;
}

bool ib_archive_bytes(struct ib_archive *a, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	/* Refused by what the header says before anything is decompressed. */
	if (a->member_size != UINT64_MAX && a->member_size > limit)
		return ib_throw(err, IB_ERR_INPUT, "'%s' of '%s' has %" PRIu64 " bytes, at most %" PRIu64
				" are accepted here", a->member_name->str, a->name, a->member_size, limit);
	struct ib_stream *s = ib_archive_stream(a);
	bool ok = ib_stream_bytes(s, limit, a->member_name->str, ret, err);
	ib_stream_free(s);
	return ok;
}

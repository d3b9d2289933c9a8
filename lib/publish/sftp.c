#include "publish/internal.h"

#include <string.h>

/*
 * SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions, as a
 * client that keeps many requests under way: without that the rate is one chunk
 * per round trip.
 */

/* Requests under way, and the bytes of each when the server does not say its limit. */
#define WINDOW 64u
#define CHUNK_DEFAULT 32768u
#define CHUNK_MAX (255u * 1024)
/* What is compared before an upload is resumed. */
#define RESUME_CHECK (1u << 20)

/* Open flags. */
#define FXF_READ 1u
#define FXF_WRITE 2u
#define FXF_CREAT 8u
#define FXF_TRUNC 0x10u

#define FX_OK 0u
#define FX_EOF 1u
#define FX_NO_SUCH_FILE 2u
#define ATTR_SIZE 1u
/* A handle is at most this long (draft-ietf-secsh-filexfer-02, section 6.2). */
#define HANDLE_MAX 256u

struct sftp {
	struct wire *wire;
	char *folder;
	uint32_t next_id;
	uint32_t chunk;
	bool has_rename, has_fsync, has_statvfs, has_limits;
};

static const char *const status_texts[] = { "ok", "end of file", "no such file", "permission denied", "failure",
					    "bad message", "no connection", "connection lost", "not supported" };

/* ---- requests ---- */

static struct packet request(struct sftp *s, uint8_t type, uint32_t *ret_id)
{
	struct packet p = packet_new(type);

	*ret_id = ++s->next_id;
	packet_u32(&p, *ret_id);
	return p;
}

/* The code of a status, UINT32_MAX when the answer is none; the answer can still be read from its start. */
static uint32_t status_code(const struct answer *a)
{
	struct answer copy = *a;
	uint32_t code = answer_u32(&copy);

	return a->type == FXP_STATUS && !copy.at.bad ? code : UINT32_MAX;
}

static bool throw_answer(struct answer *a, const char *what, struct ib_error **err)
{
	if (status_code(a) == UINT32_MAX)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot %s: the server's answer (type %u) is broken or does not fit the question",
				what, a->type);
	uint32_t code = answer_u32(a);
	size_t len;
	const char *text = (const char *)answer_string(a, &len);
	g_autofree char *said = text ? clean_text(text, len) : g_strdup("");
	return ib_throw(err, IB_ERR_SYSTEM, "cannot %s: %s (status %u%s%s)", what,
			code < G_N_ELEMENTS(status_texts) ? status_texts[code] : "unknown", code, *said ? ": " : "", said);
}

static bool throw_stray(struct ib_error **err)
{
	return ib_throw(err, IB_ERR_SYSTEM, "the server answered a question that was not asked");
}

/* Send one request and wait for its answer; nothing else is under way. Taken: p. */
static bool ask(struct sftp *s, struct packet *p, uint32_t id, struct answer *ret, struct ib_error **err)
{
	if (!wire_send(s->wire, p, err) || !wire_receive(s->wire, ret, err))
		return false;
	if (answer_u32(ret) == id)
		return true;
	answer_clear(ret);
	return throw_stray(err);
}

/* A request whose answer is a status. */
static bool ask_status(struct sftp *s, struct packet *p, uint32_t id, const char *what, struct ib_error **err)
{
	struct answer a = { 0 };

	if (!ask(s, p, id, &a, err))
		return false;
	bool ok = status_code(&a) == FX_OK ? true : throw_answer(&a, what, err);
	answer_clear(&a);
	return ok;
}

/* ---- session ---- */

static void note_extension(struct sftp *s, const char *name, size_t len)
{
	const struct {
		const char *name;
		bool *flag;
	} known[] = {
		{ "posix-rename@openssh.com", &s->has_rename },
		{ "fsync@openssh.com", &s->has_fsync },
		{ "statvfs@openssh.com", &s->has_statvfs },
		{ "limits@openssh.com", &s->has_limits },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			*known[i].flag = true;
}

static bool greet(struct sftp *s, struct ib_error **err)
{
	struct packet p = packet_new(FXP_INIT);
	struct answer a = { 0 };

	packet_u32(&p, 3);
	if (!wire_send(s->wire, &p, err) || !wire_receive(s->wire, &a, err))
		return false;
	bool ok = a.type == FXP_VERSION && answer_u32(&a) >= 3;
	while (ok && a.at.at < a.at.size) {
		size_t n, value;
		const char *name = (const char *)answer_string(&a, &n);
		if (!name || !answer_string(&a, &value))
			break;
		note_extension(s, name, n);
	}
	answer_clear(&a);
	return ok ? true : ib_throw(err, IB_ERR_SYSTEM, "the server does not speak SFTP version 3");
}

static bool read_limits(struct sftp *s, struct ib_error **err)
{
	struct answer a = { 0 };
	uint32_t id;

	s->chunk = CHUNK_DEFAULT;
	if (!s->has_limits)
		return true;
	struct packet p = request(s, FXP_EXTENDED, &id);
	packet_text(&p, "limits@openssh.com");
	if (!ask(s, &p, id, &a, err))
		return false;
	if (a.type == FXP_EXTENDED_REPLY) {
		answer_u64(&a); /* packet */
		uint64_t read = answer_u64(&a), write = answer_u64(&a);
		if (!a.at.bad && read && write)
			s->chunk = (uint32_t)MAX(1024, MIN(MIN(read, write), CHUNK_MAX));
	}
	answer_clear(&a);
	return true;
}

/* Whether something is there, and its size; for a folder the size may be missing, for a file it must not. */
static bool remote_stat(struct sftp *s, const char *path, bool want_size, uint64_t *ret, bool *ret_found,
			struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("look at '%s'", path);
	struct answer a = { 0 };
	uint32_t id;
	struct packet p = request(s, FXP_STAT, &id);
	bool ok = true;

	packet_text(&p, path);
	if (!ask(s, &p, id, &a, err))
		return false;
	*ret = 0;
	*ret_found = a.type == FXP_ATTRS;
	if (*ret_found && want_size) {
		bool has_size = answer_u32(&a) & ATTR_SIZE;
		*ret = answer_u64(&a);
		ok = has_size && !a.at.bad ? true : ib_throw(err, IB_ERR_SYSTEM, "the server does not say the size of '%s'", path);
	} else if (!*ret_found && status_code(&a) != FX_NO_SUCH_FILE) {
		ok = throw_answer(&a, what, err);
	}
	answer_clear(&a);
	return ok;
}

static bool make_one(struct sftp *s, const char *path, struct answer *ret, struct ib_error **err)
{
	uint32_t id;
	struct packet p = request(s, FXP_MKDIR, &id);

	packet_text(&p, path);
	packet_u32(&p, 0); /* no attributes: the server's default */
	answer_clear(ret);
	return ask(s, &p, id, ret, err);
}

/* Create a folder and its parents; whether it is there afterwards is what counts. */
static bool make_folder(struct sftp *s, const char *path, struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("make the folder '%s'", path);
	struct answer a = { 0 };
	uint64_t size;
	bool found, ok = true;

	if (!remote_stat(s, path, false, &size, &found, err) || found)
		return *err == NULL;
	for (const char *at = path + 1; ok && at; ) {
		at = strchr(at, '/');
		g_autofree char *prefix = at ? g_strndup(path, (gsize)(at++ - path)) : g_strdup(path);
		ok = make_one(s, prefix, &a, err);
	}
	ok = ok && remote_stat(s, path, false, &size, &found, err);
	if (ok && !found)
		ok = throw_answer(&a, what, err);
	answer_clear(&a);
	return ok;
}

static void sftp_free(void *place)
{
	struct sftp *s = place;

	wire_free(s->wire);
	g_free(s->folder);
	g_free(s);
}

bool sftp_open(const struct sftp_address *address, const struct ib_publish_options *o, void **ret, struct ib_error **err)
{
	struct sftp *s = g_new0(struct sftp, 1);
	size_t n = strlen(address->folder);

	while (n > 1 && address->folder[n - 1] == '/')
		n--;
	s->folder = g_strndup(address->folder, n);
	if (!wire_open(address, o, &s->wire, err) || !greet(s, err) || !read_limits(s, err) ||
	    !make_folder(s, s->folder, err)) {
		sftp_free(s);
		return false;
	}
	*ret = s;
	return true;
}

static bool sftp_space(void *place, uint64_t *ret_bytes)
{
	struct sftp *s = place;
	struct answer a = { 0 };
	ib_auto_error err = NULL;
	uint32_t id;

	if (!s->has_statvfs)
		return false;
	struct packet p = request(s, FXP_EXTENDED, &id);
	packet_text(&p, "statvfs@openssh.com");
	packet_text(&p, s->folder);
	if (!ask(s, &p, id, &a, &err))
		return false;
	bool ok = a.type == FXP_EXTENDED_REPLY;
	answer_u64(&a); /* block size */
	uint64_t fragment = answer_u64(&a);
	answer_u64(&a); /* blocks */
	answer_u64(&a); /* free */
	uint64_t available = answer_u64(&a);
	ok = ok && !a.at.bad;
	answer_clear(&a);
	if (ok)
		*ret_bytes = fragment && available > UINT64_MAX / fragment ? UINT64_MAX : fragment * available;
	return ok;
}

/* ---- files ---- */

static bool open_file(struct sftp *s, const char *path, uint32_t flags, GBytes **ret, struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("open '%s'", path);
	struct answer a = { 0 };
	uint32_t id;
	struct packet p = request(s, FXP_OPEN, &id);
	size_t n;

	packet_text(&p, path);
	packet_u32(&p, flags);
	packet_u32(&p, 0);
	if (!ask(s, &p, id, &a, err))
		return false;
	const uint8_t *handle = a.type == FXP_HANDLE ? answer_string(&a, &n) : NULL;
	bool ok = handle && n <= HANDLE_MAX ? true : throw_answer(&a, what, err);
	if (ok)
		*ret = g_bytes_new(handle, n);
	answer_clear(&a);
	return ok;
}

static bool close_file(struct sftp *s, GBytes *handle, struct ib_error **err)
{
	uint32_t id;
	struct packet p = request(s, FXP_CLOSE, &id);

	packet_string(&p, g_bytes_get_data(handle, NULL), g_bytes_get_size(handle));
	return ask_status(s, &p, id, "close a file", err);
}

/* The writes of one upload: ids count up from the first. */
struct writes {
	uint32_t first_id;
	unsigned under_way;
};

/* Take one answer. Which write it belongs to does not matter: all must be good. */
static bool take_write(struct sftp *s, struct writes *w, struct ib_error **err)
{
	struct answer a = { 0 };
	bool ok = true;

	if (!wire_receive(s->wire, &a, err))
		return false;
	w->under_way--;
	if (answer_u32(&a) - w->first_id > s->next_id - w->first_id)
		ok = throw_stray(err);
	else if (status_code(&a) != FX_OK)
		ok = throw_answer(&a, "write", err);
	answer_clear(&a);
	return ok;
}

static bool send_write(struct sftp *s, GBytes *handle, uint64_t offset, const uint8_t *data, size_t n,
		       struct ib_error **err)
{
	uint32_t id;
	struct packet p = request(s, FXP_WRITE, &id);

	packet_string(&p, g_bytes_get_data(handle, NULL), g_bytes_get_size(handle));
	packet_u64(&p, offset);
	packet_string(&p, data, n);
	return wire_send(s->wire, &p, err);
}

static bool write_chunks(struct sftp *s, GBytes *handle, struct ib_input *in, uint64_t from, struct writes *w,
			 struct ib_progress *progress, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(s->chunk);
	uint64_t size = ib_input_size(in);

	for (uint64_t at = from; at < size;) {
		size_t n = (size_t)MIN(size - at, s->chunk);
		if (!ib_input_read(in, at, buf, n, err) || !send_write(s, handle, at, buf, n, err))
			return false;
		w->under_way++;
		at += n;
		while (w->under_way > 0 && (w->under_way >= WINDOW || wire_ready(s->wire)))
			if (!take_write(s, w, err))
				return false;
		if (!ib_progress_add(progress, n, err))
			return false;
	}
	while (w->under_way > 0)
		if (!take_write(s, w, err))
			return false;
	return true;
}

static bool write_all(struct sftp *s, GBytes *handle, struct ib_input *in, uint64_t from, struct ib_progress *progress,
		      struct ib_error **err)
{
	struct writes w = { .first_id = s->next_id + 1 };

	if (ib_progress_add(progress, from, err) && write_chunks(s, handle, in, from, &w, progress, err))
		return true;
	/* The connection may be good: answers under way must not meet the next question. */
	ib_auto_error ignored = NULL;
	while (w.under_way > 0 && !ignored) {
		struct answer a = { 0 };
		if (wire_receive(s->wire, &a, &ignored))
			answer_clear(&a);
		w.under_way--;
	}
	return false;
}

static bool sync_file(struct sftp *s, GBytes *handle, struct ib_error **err)
{
	uint32_t id;

	if (!s->has_fsync)
		return true;
	struct packet p = request(s, FXP_EXTENDED, &id);
	packet_text(&p, "fsync@openssh.com");
	packet_string(&p, g_bytes_get_data(handle, NULL), g_bytes_get_size(handle));
	return ask_status(s, &p, id, "sync a file", err);
}

static bool remove_file(struct sftp *s, const char *path, struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("remove '%s'", path);
	struct answer a = { 0 };
	uint32_t id;
	struct packet p = request(s, FXP_REMOVE, &id);

	packet_text(&p, path);
	if (!ask(s, &p, id, &a, err))
		return false;
	uint32_t code = status_code(&a);
	bool ok = code == FX_OK || code == FX_NO_SUCH_FILE ? true : throw_answer(&a, what, err);
	answer_clear(&a);
	return ok;
}

static bool try_rename(struct sftp *s, const char *extension, const char *from, const char *to, struct ib_error **err)
{
	g_autofree char *what = g_strdup_printf("put '%s' in place", to);
	uint32_t id;
	struct packet p = request(s, extension ? FXP_EXTENDED : FXP_RENAME, &id);

	if (extension)
		packet_text(&p, extension);
	packet_text(&p, from);
	packet_text(&p, to);
	return ask_status(s, &p, id, what, err);
}

/* Onto an existing file: atomic where the server can, else by removing the old one when it is in the way. */
static bool rename_file(struct sftp *s, const char *from, const char *to, struct ib_error **err)
{
	ib_auto_error first = NULL;

	if (s->has_rename)
		return try_rename(s, "posix-rename@openssh.com", from, to, err);
	if (try_rename(s, NULL, from, to, &first))
		return true;
	return remove_file(s, to, err) && try_rename(s, NULL, from, to, err);
}

/* ---- reading ---- */

/* A range asked for, in part or wholly answered and waiting for its turn. */
struct piece {
	uint32_t id;     /* of the question under way; it asks for what is missing */
	uint64_t offset;
	uint32_t want, have;
	uint8_t *data;   /* NULL until something came */
};

struct remote_stream {
	struct ib_stream base;
	struct sftp *s;
	GBytes *handle;
	char *path;
	uint64_t size, asked; /* bytes of the file; bytes asked for so far */
	GQueue pieces;        /* struct piece *, by offset */
	unsigned failed;      /* pieces that nothing is under way for, though they are not whole */
	uint32_t taken;       /* of the first piece's data */
};

static void piece_free(void *p)
{
	struct piece *piece = p;

	g_free(piece->data);
	g_free(piece);
}

static bool ask_piece(struct remote_stream *r, struct piece *piece, struct ib_error **err)
{
	struct packet p = request(r->s, FXP_READ, &piece->id);

	packet_string(&p, g_bytes_get_data(r->handle, NULL), g_bytes_get_size(r->handle));
	packet_u64(&p, piece->offset + piece->have);
	packet_u32(&p, piece->want - piece->have);
	return wire_send(r->s->wire, &p, err);
}

static bool ask_more(struct remote_stream *r, struct ib_error **err)
{
	while (r->asked < r->size && r->pieces.length < WINDOW) {
		struct piece *piece = g_new0(struct piece, 1);
		piece->offset = r->asked;
		piece->want = (uint32_t)MIN(r->size - r->asked, r->s->chunk);
		g_queue_push_tail(&r->pieces, piece);
		r->asked += piece->want;
		if (!ask_piece(r, piece, err))
			return false;
	}
	return true;
}

static struct piece *find_piece(struct remote_stream *r, uint32_t id)
{
	for (GList *l = r->pieces.head; l; l = l->next) {
		struct piece *piece = l->data;
		if (piece->id == id && piece->have < piece->want)
			return piece;
	}
	return NULL;
}

/* Add data to its piece; after a short answer the rest is asked for. */
static bool fill_piece(struct remote_stream *r, struct piece *piece, const uint8_t *data, size_t n, struct ib_error **err)
{
	if (n == 0 || n > piece->want - piece->have)
		return ib_throw(err, IB_ERR_SYSTEM, "the server sent %zu bytes, 1 to %u were asked for", n,
				piece->want - piece->have);
	if (!piece->data)
		piece->data = g_malloc(piece->want);
	memcpy(piece->data + piece->have, data, n);
	piece->have += (uint32_t)n;
	return piece->have == piece->want || ask_piece(r, piece, err);
}

static bool take_piece(struct remote_stream *r, struct ib_error **err)
{
	struct answer a = { 0 };
	size_t n = 0;

	if (!wire_receive(r->s->wire, &a, err))
		return false;
	struct piece *piece = find_piece(r, answer_u32(&a));
	const uint8_t *data = a.type == FXP_DATA ? answer_string(&a, &n) : NULL;
	bool ok;
	if (!piece)
		ok = throw_stray(err);
	else if (!data)
		ok = throw_answer(&a, "read", err);
	else
		ok = fill_piece(r, piece, data, n, err);
	if (!ok && piece)
		r->failed++; /* answered, though not well */
	answer_clear(&a);
	return ok;
}

static bool remote_read(struct ib_stream *stream, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct remote_stream *r = (struct remote_stream *)stream;

	if (r->failed)
		return ib_throw(err, IB_ERR_SYSTEM, "reading '%s' failed before", r->path);
	if (!ask_more(r, err))
		return ib_while(err, "reading '%s'", r->path);
	struct piece *first = g_queue_peek_head(&r->pieces);
	*ret_n = 0;
	if (!first)
		return true;
	while (first->have < first->want)
		if (!take_piece(r, err))
			return ib_while(err, "reading '%s'", r->path);
	uint32_t n = (uint32_t)MIN(first->have - r->taken, cap);
	memcpy(buf, first->data + r->taken, n);
	r->taken += n;
	if (r->taken == first->have) {
		piece_free(g_queue_pop_head(&r->pieces));
		r->taken = 0;
	}
	*ret_n = n;
	return true;
}

static void remote_free(struct ib_stream *stream)
{
	struct remote_stream *r = (struct remote_stream *)stream;
	ib_auto_error err = NULL;
	unsigned waiting = 0;

	/* Answers under way belong to this stream: the next request must not see them. */
	for (GList *l = r->pieces.head; l; l = l->next)
		waiting += ((struct piece *)l->data)->have < ((struct piece *)l->data)->want;
	waiting -= MIN(waiting, r->failed);
	for (struct answer a = { 0 }; waiting > 0 && wire_receive(r->s->wire, &a, &err); waiting--)
		answer_clear(&a);
	if (!err)
		(void)!close_file(r->s, r->handle, &err);
	g_queue_clear_full(&r->pieces, piece_free);
	g_bytes_unref(r->handle);
	g_free(r->path);
	g_free(r);
}

static char *full_path(const struct sftp *s, const char *name)
{
	return strcmp(s->folder, "/") == 0 ? g_strconcat("/", name, NULL) : g_strconcat(s->folder, "/", name, NULL);
}

static bool open_stream(struct sftp *s, const char *path, uint64_t from, uint64_t size, struct ib_stream **ret,
			struct ib_error **err)
{
	GBytes *handle = NULL;

	if (!open_file(s, path, FXF_READ, &handle, err))
		return false;
	struct remote_stream *r = g_new0(struct remote_stream, 1);
	r->base = (struct ib_stream){ .read = remote_read, .free = remote_free };
	r->s = s;
	r->handle = handle;
	r->path = g_strdup(path);
	r->asked = from;
	r->size = size;
	*ret = &r->base;
	return true;
}

static bool sftp_stat(void *place, const char *name, uint64_t *ret_size, struct ib_error **err)
{
	struct sftp *s = place;
	g_autofree char *path = full_path(s, name);
	bool found;

	if (!remote_stat(s, path, true, ret_size, &found, err))
		return false;
	return found ? true : ib_throw(err, IB_ERR_INPUT, "there is no '%s' on the server", path);
}

static bool sftp_get(void *place, const char *name, struct ib_stream **ret, struct ib_error **err)
{
	struct sftp *s = place;
	g_autofree char *path = full_path(s, name);
	uint64_t size;

	return sftp_stat(place, name, &size, err) && open_stream(s, path, 0, size, ret, err);
}

static bool sftp_remove(void *place, const char *name, struct ib_error **err)
{
	struct sftp *s = place;
	g_autofree char *path = full_path(s, name);

	return remove_file(s, path, err);
}

/* ---- uploading ---- */

/* Where to go on: the part's size when its last MiB is ours, else 0. */
static bool resume_point(struct sftp *s, const char *part, struct ib_input *in, uint64_t *ret, struct ib_error **err)
{
	g_autoptr(GBytes) theirs = NULL;
	struct ib_stream *stream = NULL;
	uint64_t size;
	bool found;

	*ret = 0;
	if (!remote_stat(s, part, true, &size, &found, err))
		return false;
	if (!found || size == 0 || size > ib_input_size(in))
		return true;
	uint64_t n = MIN(size, RESUME_CHECK);
	g_autofree uint8_t *ours = g_malloc(n);
	if (!open_stream(s, part, size - n, size, &stream, err))
		return false;
	bool ok = ib_stream_bytes(stream, n, part, &theirs, err) && ib_input_read(in, size - n, ours, n, err);
	ib_stream_free(stream);
	if (ok && g_bytes_get_size(theirs) == n && memcmp(g_bytes_get_data(theirs, NULL), ours, n) == 0)
		*ret = size;
	return ok;
}

static bool upload(struct sftp *s, const char *part, struct ib_input *in, struct ib_progress *progress,
		   struct ib_error **err)
{
	uint64_t from, size;
	g_autoptr(GBytes) handle = NULL;
	bool found;

	if (!resume_point(s, part, in, &from, err) ||
	    !open_file(s, part, FXF_WRITE | FXF_CREAT | (from ? 0 : FXF_TRUNC), &handle, err))
		return false;
	bool ok = write_all(s, handle, in, from, progress, err) && sync_file(s, handle, err);
	ib_auto_error close_error = NULL;
	if (!close_file(s, handle, ok ? err : &close_error) || !ok)
		return false;
	if (!remote_stat(s, part, true, &size, &found, err))
		return false;
	if (found && size == ib_input_size(in))
		return true;
	return ib_throw(err, IB_ERR_SYSTEM, "'%s' has %" PRIu64 " bytes on the server, %" PRIu64 " were sent", part, size,
			ib_input_size(in));
}

static bool sftp_put(void *place, const char *name, struct ib_input *in, struct ib_progress *progress,
		     struct ib_error **err)
{
	struct sftp *s = place;
	g_autofree char *path = full_path(s, name), *dir = g_path_get_dirname(path);
	g_autofree char *part = g_strconcat(path, ".part", NULL);

	return make_folder(s, dir, err) && upload(s, part, in, progress, err) && rename_file(s, part, path, err);
}

const struct place_ops sftp_ops = {
	.space = sftp_space, .put = sftp_put, .stat = sftp_stat, .get = sftp_get, .remove = sftp_remove, .free = sftp_free,
};
